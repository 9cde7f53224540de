"""Reconciliations of the stream: their sides as queries, their causes over what varies, their totals.

Belongs here: the rules of the recon tables and what each reads. Does not belong here: the engine that compares
(``close.reconcile``), the rules of cause and their yardsticks (``causes``), what a check demands of the results
(``recon_checks``).
"""

from datetime import date

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.bridge import bridge_rule, bridge_table
from revenue_integrity.close.causes.explaining import explain
from revenue_integrity.close.causes.table import causes_table
from revenue_integrity.close.reconcile import declare, results_rule, summary_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.postings import ControlTotals, Postings
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, Causes, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import Reads, Rule, raw, same_month, window
from revenue_integrity.streams.bookings import schemas, sources
from revenue_integrity.streams.bookings.causes.inputs import recognized_case
from revenue_integrity.streams.bookings.causes.recognized import CAUSES, FAMILIES, late_postings
from revenue_integrity.streams.bookings.mart import TERM_SETTINGS, milestone_query
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.sources import STREAM

_PACKAGE = "revenue_integrity.streams.bookings"

RECOGNIZED = "recognized_vs_schedule"

_RECOGNIZED = Tolerance("tolerance_cents", "tolerance_share")

_REVENUE = Materiality(schemas.REVENUE_MONTH, "expected_cents", "expected_revenue_cents")

RECONCILIATIONS = declare(
    STREAM,
    _PACKAGE,
    (
        Reconciliation(
            RECOGNIZED,
            "What accounting recognized is what the schedules of the deals say, per deal line and revenue type.",
            "recognition entries",
            "amounts due",
            ("customer_id", "deal_id", "line_no", "revenue_type"),
            tolerance=_RECOGNIZED,
            causes=Causes(
                FAMILIES,
                _REVENUE,
                across_months=("period_shift",),
            ),
        ),
        Reconciliation(
            "recognized_to_date",
            "What was recognized up to this close is what was due up to this month, per deal line.",
            "recognized to date",
            "due to date",
            ("customer_id", "deal_id", "line_no"),
            views=(AS_OF_CLOSE,),
            tolerance=_RECOGNIZED,
        ),
        Reconciliation(
            "billed_vs_amount",
            "What was billed up to this close is no more than the price of the deal, and all of it at its end.",
            "billed to date",
            "price of the deal",
            ("customer_id", "deal_id"),
            views=(AS_OF_CLOSE,),
            tolerance=Tolerance("tolerance_cents"),
        ),
        Reconciliation(
            "deferred_vs_ledger",
            "The general ledger's deferred revenue and contract assets are those of the deals, per account.",
            "general ledger",
            "balances of the deals",
            ("account",),
            views=(AS_OF_CLOSE,),
            tolerance=Tolerance("tolerance_cents", "ledger_tolerance_share"),
            needs=(sources.LEDGER_BALANCES,),
        ),
        Reconciliation(
            "deal_population",
            "Deals with entries are those with an amount due.",
            "deals with entries",
            "deals with an amount due",
            ("customer_id", "deal_id"),
            unit="count",
        ),
    ),
    (
        column.text("customer_id", "The customer.", null=True),
        column.text("deal_id", "The deal; empty for entries that resolve to none.", null=True),
        column.integer("line_no", "Line of the deal.", null=True),
        column.text("revenue_type", "Type of the revenue.", null=True),
        column.text("account", "Account of the general ledger.", null=True),
    ),
    prefix=f"{STREAM}_",
)
"""The reconciliations of the stream (40-bookings, *Reconciliations*)."""

POSTINGS = Postings(
    sources.RECOGNITION_ENTRIES,
    schemas.RECOGNITION_LINES,
    called="entries",
    resolves_to="deal_id",
    listed=("entry_id", "customer_id", "revenue_type", "amount_cents"),
    materiality=_REVENUE,
    earlier="bookings_earlier_periods_entries",
    totals=ControlTotals(sources.RECOGNITION_CONTROL_TOTALS, counted_by="ledger"),
)
"""What accounting recognizes."""

BRIDGE = bridge_table(STREAM, prefix=f"{STREAM}_", lines="recognition entries")

assert RECONCILIATIONS.causes is not None
CAUSE_TABLE = RECONCILIATIONS.causes

REACH = 2
"""Months around its own that a month's causes look at: an end of a shift beside it may have chosen one beside that."""


def _month_alone(month: date, settings: BookingsSettings) -> dict[str, date]:
    return {"first": month, "last": month}


CAUSE_QUERIES = ("rows", "results", "entries", "lines", "history", "billed", "versions")
"""What the rules of cause look at: each a query that returns only what belongs to rows with a variance."""


def cause_queries(month: date, settings: BookingsSettings) -> dict[str, Query]:
    """Return the queries whose rows ``bookings_recon_causes`` is made from."""
    given = {
        "month": month,
        "first": max(months.add(month, -REACH), settings.first_month.replace(day=1)),
        "last": months.add(month, REACH),
        "recurring_revenue_types": list(settings.recurring_revenue_types),
        "recurring_policy": settings.recurring_policy,
        "one_time_policy": settings.one_time_policy,
    }
    queries = {name: load_query(_PACKAGE, f"recon/causes_{name}", **given) for name in CAUSE_QUERIES}
    return queries | {"milestones": milestone_query(months.add(month, REACH))}


def recon_causes(month: date, settings: BookingsSettings, **frames: pd.DataFrame) -> pd.DataFrame:
    """Return the causes of every variance of the month, in both views, in cents, from the rows of ``cause_queries``."""
    case = recognized_case(settings, frames)
    found = explain(case, CAUSES)
    explained = found[found["row"].map(case.rows["month"]) == pd.Timestamp(month)]
    late = late_postings(month, frames["entries"])
    return causes_table(month, RECONCILIATIONS, frames["results"], {RECOGNIZED: explained}, {RECOGNIZED: late})


_TO_DATE = Reads("mart", "bookings_flows", None)

RULES = (
    results_rule(
        RECONCILIATIONS,
        (
            same_month("curated", "recognition_lines"),
            same_month("mart", "deal_line_month"),
            same_month("mart", "deal_month"),
            _TO_DATE,
            raw("bookings_ledger_balances"),
        ),
        parameters=_month_alone,
    ),
    bridge_rule(BRIDGE, POSTINGS),
    Rule(
        CAUSE_TABLE,
        recon_causes,
        (
            same_month("recon", "bookings_recon_results"),
            window("curated", "recognition_lines", months_before=REACH, months_after=REACH),
            window("curated", "billing_lines", months_before=REACH, months_after=REACH),
            window("mart", "deal_line_month", months_before=REACH, months_after=REACH),
            Reads("mart", "bookings_flows", None, REACH),
            Reads("raw", "bookings_deal_lines", -REACH, REACH),
            Reads("raw", "bookings_milestones", -REACH, REACH),
            raw("bookings_reversed_entries"),
            raw("bookings_recognition_mapping"),
        ),
        ("first_month", *TERM_SETTINGS),
        (*(f"recon/causes_{name}" for name in CAUSE_QUERIES), "mart/completed_milestones"),
        cause_queries,
    ),
    summary_rule(
        RECONCILIATIONS,
        (same_month("curated", "recognition_lines"), raw("bookings_recognition_control_totals")),
    ),
)
