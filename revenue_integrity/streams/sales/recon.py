"""Reconciliations of the stream: their sides as queries, their causes over what varies, their totals.

Belongs here: the rules of the recon tables and what each reads. Does not belong here: the engine that compares
(``close.reconcile``), the rules of cause (``causes``).
"""

from datetime import date

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.bridge import bridge_rule, bridge_table
from revenue_integrity.close.causes.explaining import explain
from revenue_integrity.close.causes.table import causes_table
from revenue_integrity.close.evidence import evidence_slice
from revenue_integrity.close.reconcile import declare, results_rule, summary_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.postings import Postings
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.reconciliation import CURRENT, Causes, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import Reads, Rule, raw, same_month, window
from revenue_integrity.streams.sales import schemas, sources
from revenue_integrity.streams.sales.causes import ledger, settlements
from revenue_integrity.streams.sales.causes.inputs import case
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
            causes=Causes(ledger.FAMILIES, MATERIALITY, across_months=("period_shift",)),
        ),
        Reconciliation(
            SETTLEMENTS,
            "What the payment processor paid is what was sold with tax, but for cash, per transaction.",
            "settlements",
            "sales with tax",
            ("transaction_id",),
            views=(CURRENT,),
            needs=(sources.SETTLEMENTS,),
            causes=Causes(settlements.FAMILIES, MATERIALITY, across_months=("in_transit",), harmless=("in_transit",)),
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
            causes=Causes(ledger.SENT_FAMILIES, MATERIALITY),
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


CAUSE_QUERIES = ("rows", "results", "booked", "refused", "settled", "sold")
"""What the rules of cause look at: each a query that returns only what belongs to rows with a variance."""

REACH = 2
"""Months around its own that a month's causes look at: an end of a shift beside it may have chosen one beside that."""

assert RECONCILIATIONS.causes is not None


def cause_queries(month: date, settings: SalesSettings) -> dict[str, Query]:
    """Return the queries whose rows ``sales_recon_causes`` is made from."""
    given = {"month": month, "first": months.add(month, -REACH), "last": months.add(month, REACH), **_sides(month, settings)}
    return {name: load_query(PACKAGE, f"recon/causes_{name}", **given) for name in CAUSE_QUERIES}


def recon_causes(month: date, settings: SalesSettings, **frames: pd.DataFrame) -> pd.DataFrame:
    """Return the causes of every variance of the month, in both views, in cents, from the rows of ``cause_queries``."""
    explained = {}
    for recon, causes in ((LEDGER, ledger.CAUSES), (SETTLEMENTS, settlements.CAUSES), (SENT, ledger.SENT_CAUSES)):
        varying = case(recon, frames, settings.sales_ledger_grain)
        found = explain(varying, causes)
        explained[recon] = found[found["row"].map(varying.rows["month"]) == pd.Timestamp(month)]
    none = ledger.no_late(frames["booked"])
    late = {LEDGER: ledger.late_postings(month, frames["booked"]), SETTLEMENTS: none, SENT: none}
    return causes_table(month, RECONCILIATIONS, frames["results"], explained, late)


RULES = (
    Rule(
        RECONCILIATIONS.causes,
        recon_causes,
        (
            window("recon", "sales_recon_results", months_before=REACH, months_after=REACH),
            window("curated", "sales_ledger_lines", months_before=REACH, months_after=REACH),
            window("curated", "sales_lines", months_before=REACH, months_after=REACH),
            Reads("raw", "sales_transactions", None, REACH),
            Reads("raw", "sales_settlements", None, REACH),
            raw(evidence_slice(STREAM)),
        ),
        ("sales_ledger_grain", "cash_methods"),
        tuple(f"recon/causes_{name}" for name in CAUSE_QUERIES),
        cause_queries,
    ),
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
