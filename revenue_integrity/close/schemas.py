"""Tables of reconciliation and close, which look the same whatever stream they judge.

Belongs here: what each table is, its key, columns, units. Does not belong here: which reconciliations a stream has and how
their sides are made (each stream's ``recon``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from revenue_integrity.close.causes import FAMILIES, LABELS
from revenue_integrity.model import table as column
from revenue_integrity.model.table import Table, table
from revenue_integrity.schema_library import pa

AS_OF_CLOSE = "as_of_close"
"""The view of what was posted by the cutoff."""

CURRENT = "current"
"""The view of all postings."""

STATUSES = ("matched", "within_tolerance", "breach")
"""How a row's variance stands against its tolerance."""

UNITS = ("cents", "wh", "count")
"""What a reconciliation in whole units compares; one of exact amounts compares units of the currency, by its code in small."""

_Value = Callable[..., pa.Column]

_whole: _Value = partial(column.integer, unit="unit of the row")
_exact: _Value = partial(column.decimal, unit="unit of the row", places=12, digits=38)


def _unit(*, exact: bool) -> pa.Column:
    said = "What is compared."
    return column.text("unit", said, pattern="[a-z]{3}") if exact else column.text("unit", said, isin=UNITS)


def _row(recons: tuple[str, ...], grain: str = "customer, contract, site, charge type") -> list[pa.Column]:
    """Return the columns that name a row of a reconciliation; what a reconciliation does not have is null."""
    return [
        column.month(),
        column.text("recon", "The reconciliation.", isin=recons),
        column.text("view", "Postings by the cutoff, or all of them.", isin=(AS_OF_CLOSE, CURRENT)),
        column.json_text("row_key", f"The grain of the row as JSON: {grain}."),
        column.text("customer_id", "The customer.", null=True),
        column.text("contract_id", "The contract; empty for lines that resolve to none.", null=True),
        column.text("site_id", "The site.", null=True),
        column.text("charge_type", "What is charged.", null=True),
    ]


@dataclass(frozen=True)
class ReconTables:
    """The tables of a stream's reconciliations."""

    results: Table
    causes: Table
    summary: Table
    bridge: Table


def results_table(
    stream: str,
    recons: tuple[str, ...],
    *,
    prefix: str = "",
    exact_values: bool = False,
    grain: Sequence[pa.Column] = (),
    explained: bool = False,
) -> Table:
    """Return the table of a stream's reconciliations, row by row.

    ``prefix`` keeps the names of two streams apart; ``exact_values``: values have 12 places instead of none; ``grain``: further
    columns that name a row; ``explained``: each row says in a sentence how it stands.
    """
    value = _exact if exact_values else _whole
    return table(
        stream,
        "recon",
        f"{prefix}recon_results",
        "Reconciliations, one row per month, reconciliation, view and grain: two sides, their variance and how it stands.",
        ("month", "recon", "view", "row_key"),
        [
            *(_row(recons, ", ".join(str(each.name) for each in grain)) if grain else _row(recons)),
            *grain,
            _unit(exact=exact_values),
            column.money("left_cents", "Left side, where the unit is cents.", null=True),
            column.money("right_cents", "Right side, where the unit is cents.", null=True),
            column.money("variance_cents", "Left less right, where the unit is cents.", null=True),
            value("left_value", "Left side, where the unit is another.", null=True),
            value("right_value", "Right side, where the unit is another.", null=True),
            value("variance_value", "Left less right, where the unit is another.", null=True),
            column.ratio("variance_pct", "Variance over the absolute right side; empty where that is 0."),
            column.text("status", "How the variance stands against the tolerance.", isin=STATUSES),
            *([column.text("explanation", "How the row stands, as a sentence.")] if explained else []),
        ],
    )


def summary_table(
    stream: str,
    recons: tuple[str, ...],
    *,
    prefix: str = "",
    exact_values: bool = False,
    more: Sequence[pa.Column] = (),
) -> Table:
    """Return the table of a stream's reconciliations in total (for the parameters see ``results_table``)."""
    value = _exact if exact_values else _whole
    return table(
        stream,
        "recon",
        f"{prefix}recon_summary",
        "Reconciliations in total, one row per month, reconciliation and view; amounts in the unit of the row.",
        ("month", "recon", "view"),
        [
            column.month(),
            column.text("recon", "The reconciliation.", isin=recons),
            column.text("view", "Postings by the cutoff, or all of them.", isin=(AS_OF_CLOSE, CURRENT)),
            _unit(exact=exact_values),
            column.integer("rows", "Rows.", unit="rows"),
            column.integer("matched", "Rows without a variance.", unit="rows"),
            column.integer("within_tolerance", "Rows whose variance nobody must act on.", unit="rows"),
            column.integer("breaches", "Rows beyond their tolerance.", unit="rows"),
            value("left_total", "Left side."),
            value("right_total", "Right side."),
            value("variance_signed", "Sum of the variances."),
            value("variance_gross", "Sum of the absolute variances."),
            *more,
        ],
    )


_CAUSES_IN_TOTAL = (
    column.json_text("causes", "Cents per cause, signed, as JSON.", null=True),
    column.json_text("causes_gross", "Absolute cents per cause, as JSON.", null=True),
    column.money("timing_cents", "Signed cents of causes of timing.", null=True),
    column.money("at_risk_cents", "Signed cents of all other causes.", null=True),
    column.money("timing_gross_cents", "Absolute cents of causes of timing.", null=True),
    column.money("at_risk_gross_cents", "Absolute cents of all other causes.", null=True),
    column.ratio("explained_pct", "Share of the absolute cause cents that a rule explains."),
    column.money("residual_cents", "Absolute cents explained only by price or quantity.", null=True),
    column.money("unexplained_cents", "Absolute cents that no rule explains.", null=True),
)


def recon_tables(stream: str, recons: tuple[str, ...]) -> ReconTables:
    """Return the tables of a stream whose reconciliations are in whole units, have causes and a bridge."""
    results = results_table(stream, recons)
    causes = table(
        stream,
        "recon",
        "recon_causes",
        "Why each variance is what it is, one row per cause; for each row of a reconciliation they add up to its variance.",
        ("month", "recon", "view", "row_key", "cause_no"),
        [
            *_row(recons),
            column.integer("cause_no", "Number of the cause within its row.", ge=1),
            column.text("family", "Kind of cause; empty for what no rule explains.", null=True, isin=tuple(FAMILIES)),
            column.text("cause", "The cause.", isin=LABELS),
            column.money("cause_cents", "Its part of the variance (ERP less expected)."),
            column.text("link_id", "Shared by the two ends of a move.", null=True),
            column.text("status", "How the row's variance stands against the tolerance.", isin=STATUSES),
            column.json_text("evidence", "Documents, readings, versions or mapping rows that prove it, by their ids."),
            column.text("explanation", "The cause as a sentence."),
        ],
    )
    summary = summary_table(stream, recons, more=_CAUSES_IN_TOTAL)
    bridge = table(
        stream,
        "close",
        "close_bridge",
        "From what was posted by the cutoff to what is recognized, one row per month; unmapped lines included.",
        ("month",),
        [
            column.month(),
            column.money("as_of_close_cents", "ERP lines of the month posted by its cutoff."),
            column.money("late_cents", "ERP lines of the month posted after it."),
            column.money("current_cents", "All ERP lines of the month."),
            column.money("recognized_here_from_earlier_cents", "Late lines of other months whose first open period this is."),
            column.money("recognized_cents", "What is recognized in the month."),
        ],
    )
    return ReconTables(results, causes, summary, bridge)
