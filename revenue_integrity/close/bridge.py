"""The close bridge: from what was posted by the cutoff to what is recognized in the month; the same for every stream.

Belongs here: its table, query and rule. Does not belong here: which lines are bridged (each stream's ``Postings``), comparing
them with what is due (``close.reconcile``).
"""

from datetime import date
from functools import partial

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.model import table as column
from revenue_integrity.model.postings import Postings
from revenue_integrity.model.query import Query, Sql, Template
from revenue_integrity.model.rule import Rule, raw
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Settings


def bridge_table(stream: str, *, prefix: str = "", lines: str) -> Table:
    """Return the table of a stream's close bridge over its lines (what they are called, for people)."""
    return table(
        stream,
        "close",
        f"{prefix}close_bridge",
        "From what was posted by the cutoff to what is recognized, one row per month; unmapped lines included.",
        ("month",),
        [
            column.month(),
            column.money("as_of_close_cents", f"{lines} of the month posted by its cutoff."),
            column.money("late_cents", f"{lines} of the month posted after it."),
            column.money("current_cents", f"All {lines} of the month."),
            column.money("recognized_here_from_earlier_cents", "Late lines of other months whose first open period this is."),
            column.money("recognized_cents", "What is recognized in the month."),
        ],
    )


def bridge_rule(bridge: Table, postings: Postings) -> Rule:
    """Return the rule of a stream's close bridge."""
    text = Sql("revenue_integrity.close", Template("close_bridge", (("postings", postings),)))
    reads = (raw(postings.source.dataset), raw(postings.earlier))
    return Rule(bridge, partial(_bridge, text), reads, CALENDAR_SETTINGS, (text,))


def _bridge(text: Sql, month: date, settings: Settings) -> Query:
    before = cutoff(months.add(month, -1), settings)
    return text.query(month=month, cutoff=cutoff(month, settings), cutoff_before=before)
