"""Checks that a query decides.

Belongs here: turning the SQL of a check into its judgement. Does not belong here: what a check is (``model.check``), and any
particular check (each stream's ``checks``, ``close.reconciliation_checks``, ``close.posting_checks``).
"""

from datetime import date
from typing import Literal, NamedTuple

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.model.check import SAMPLE_ROWS, Check, Control, Figure, Gate, Judge, Judgement, Limit, Reader
from revenue_integrity.model.query import Sql
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings

Lists = Literal["nothing", "offenders", "always"]
"""What a check lists beside its figures: what makes it fail, without which it passes; or rows that are worth a look anyway."""


PROGRAM_ERROR = "This is an error of the program or of its tables: do not publish, report it with the month."
"""What to do when something does not hold that no data can break."""


class CheckText(NamedTuple):
    """What people read of a check that is made from a declaration: it differs from business to business.

    Attributes:
        name: its name, after what must be true.
        description: what must be true, as a sentence.
        next_step: what to do when it is not.
        control: what it is a control against.
    """

    name: str
    description: str
    next_step: str
    control: Control


def declared_check(
    text: CheckText,
    table: Table,
    gate: Gate,
    verdict_of: Sql,
    rows_of: Sql | None = None,
    *,
    limits: tuple[Limit, ...],
    lists: Lists = "always",
    settings: tuple[str, ...] = (),
    recon: str = "",
) -> Check:
    """Return a check that SQL of the close decides, written out for what a stream declares, with the stream's words."""
    judge = decided_by(verdict_of, rows_of, text.next_step, lists=lists, settings=settings)
    return Check(
        text.name,
        table,
        gate,
        text.description,
        judge,
        control=text.control,
        settings=(*CALENDAR_SETTINGS, *settings),
        limits=limits,
        recon=recon,
    )


def sql_check(
    package: str,
    name: str,
    table: Table,
    gate: Gate,
    description: str,
    next_step: str,
    *,
    control: Control,
    title: str = "",
    lists: Lists = "nothing",
    settings: tuple[str, ...] = (),
    limits: tuple[Limit, ...] = (),
) -> Check:
    """Declare a check that a query of a stream decides.

    The package's ``sql/checks/<name>.sql`` returns one row: ``passed`` and the figures. ``sql/checks/<name>_rows.sql`` returns
    what is listed, worst first, if anything is. Both may use ``$month``, ``$month_end``, ``$cutoff`` and the named settings.
    """
    verdict_of = Sql(package, f"checks/{name}")
    rows_of = None if lists == "nothing" else Sql(package, f"checks/{name}_rows")
    judge = decided_by(verdict_of, rows_of, next_step, lists=lists, settings=settings)
    rests_on = (*CALENDAR_SETTINGS, *settings)
    return Check(name, table, gate, description, judge, control=control, title=title, settings=rests_on, limits=limits)


def decided_by(
    verdict_of: Sql, rows_of: Sql | None, next_step: str, *, lists: Lists = "always", settings: tuple[str, ...] = ()
) -> Judge:
    """Return the judge that one query decides, and another lists rows for (``sql_check``)."""

    def judge(reader: Reader, month: date, values: Settings) -> Judgement:
        parameters = {"month": month, "month_end": months.last_day(month), "cutoff": cutoff(month, values)}
        parameters |= {setting: getattr(values, setting) for setting in settings}
        verdict = reader.rows(verdict_of.query(**parameters))
        (row,) = verdict.astype(object).to_dict(orient="records")
        passed = bool(row.pop("passed"))
        listed = None
        if rows_of is not None and (lists == "always" or not passed):
            listed = reader.rows(rows_of.query(**parameters)).head(SAMPLE_ROWS)
        figures: dict[str, Figure] = {str(key): None if pd.isna(value) else value for key, value in row.items()}
        return Judgement(passed, figures, listed, "" if passed else next_step)

    return judge
