"""Reconciliations of the stream: their sides as queries, their causes over what varies, their totals.

Belongs here: the rules of the recon tables and what each reads. Does not belong here: the engine that compares
(``close.reconcile``), the rules of cause (``causes``).
"""

from datetime import date

from revenue_integrity.close.bridge import bridge_rule, bridge_table
from revenue_integrity.close.reconcile import declare, results_rule, summary_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.postings import Postings
from revenue_integrity.model.reconciliation import CURRENT, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import raw, same_month
from revenue_integrity.streams.sales import schemas, sources
from revenue_integrity.streams.sales.curated import PACKAGE
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.sources import STREAM

LEDGER = "sales_vs_ledger"
SETTLEMENTS = "sales_vs_settlements"
SENT = "loaded_vs_sent"

MATERIALITY = Materiality(schemas.FACT, "total_cents", "sales_cents")

RECONCILIATIONS = declare(
    STREAM,
    PACKAGE,
    (
        Reconciliation(
            LEDGER,
            "What accounting booked as revenue is what was sold, per region and category.",
            "ledger",
            "sales",
            ("region", "category"),
            tolerance=Tolerance("tolerance_cents", "tolerance_share"),
            needs=(sources.LEDGER,),
        ),
        Reconciliation(
            SETTLEMENTS,
            "What the payment processor paid is what was sold with tax, but for cash, per transaction.",
            "settlements",
            "sales with tax",
            ("transaction_id",),
            views=(CURRENT,),
            needs=(sources.SETTLEMENTS,),
        ),
        Reconciliation(
            SENT,
            "The lines that the shop system says it sold are those that stand here.",
            "shop system",
            "lines here",
            (),
            unit="count",
            views=(CURRENT,),
            needs=(sources.CONTROL_TOTALS,),
            sides="loaded_vs_sent_lines",
        ),
        Reconciliation(
            SENT,
            "What the shop system says it sold is what the lines here come to.",
            "shop system",
            "sales",
            (),
            views=(CURRENT,),
            needs=(sources.CONTROL_TOTALS,),
            sides="loaded_vs_sent_cents",
        ),
    ),
    (
        column.text("region", "The region.", null=True),
        column.text("category", "The category.", null=True),
        column.text("transaction_id", "The transaction; empty for settlements that name none.", null=True),
    ),
    prefix=f"{STREAM}_",
)
"""The reconciliations of the stream (50-sales, *Reconciliations*)."""

POSTINGS = Postings(
    sources.LEDGER,
    schemas.LEDGER_LINES,
    called="lines",
    resolves_to="region",
    listed=("document_id", "line_no", "region", "category", "amount_cents"),
    materiality=MATERIALITY,
    earlier="sales_earlier_ledger",
)
"""What accounting books."""

BRIDGE = bridge_table(STREAM, prefix=f"{STREAM}_", lines="ledger lines")


def _sides(month: date, settings: SalesSettings) -> dict[str, object]:
    return {"sales_ledger_grain": settings.sales_ledger_grain, "cash_methods": list(settings.cash_methods)}


RULES = (
    results_rule(
        RECONCILIATIONS,
        (
            same_month("curated", "sales_ledger_lines"),
            same_month("curated", "sales_lines"),
            raw("sales_settlements"),
            raw("sales_control_totals"),
        ),
        settings=("sales_ledger_grain", "cash_methods"),
        parameters=_sides,
    ),
    bridge_rule(BRIDGE, POSTINGS),
    summary_rule(RECONCILIATIONS),
)
