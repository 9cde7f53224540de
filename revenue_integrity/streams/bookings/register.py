"""What the headline metrics of the stream mean, and what they take for granted.

Belongs here: ``bookings_metric_register`` and ``bookings_assumptions``. Does not belong here: the metrics themselves (``mart``),
what such tables look like (``close.register``).
"""

from datetime import date

import pandas as pd

from revenue_integrity.close.register import (
    Assumption,
    Metric,
    assumption_rows,
    assumptions_table,
    register_rows,
    register_table,
)
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, same_month
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.sources import STREAM

_PACKAGE = "revenue_integrity.streams.bookings"

REGISTER = register_table(STREAM, f"{STREAM}_")
ASSUMPTIONS = assumptions_table(STREAM, f"{STREAM}_", "cents due")

_POLICIES = "recurring_policy, one_time_policy, allocate_transaction_price, backdated"

METRICS = (
    Metric(
        "total revenue",
        "What must be recognized in the month, and what accounting recognized.",
        "sum of expected_cents; sum of recognized_cents",
        "segment, revenue type, month",
        _POLICIES,
        "revenue_is_complete, schedule_adds_up, every_recognition_is_explained",
        "recognized_vs_schedule",
        "Revenue is reported that the deals do not hold.",
        "team:revenue",
    ),
    Metric(
        "recurring share",
        "Share of revenue that comes again while lines go on.",
        "expected_cents of recurring revenue / expected_cents",
        "month",
        "recurring_revenue_types",
        "revenue_is_complete",
        "recognized_vs_schedule",
        "One-time revenue is taken for a run-rate.",
        "team:revenue",
    ),
    Metric(
        "unrecognized revenue",
        "What was due to date and is not recognized.",
        "expected_to_date_cents - recognized_to_date_cents",
        "deal, month",
        _POLICIES,
        "every_recognition_is_explained, recognition_is_within_materiality",
        "recognized_to_date",
        "Revenue leaks without anybody noticing.",
        "team:revenue",
    ),
    Metric(
        "deferred revenue",
        "What was billed ahead of recognition, as the books stood at the cutoff.",
        "max(0, billed_to_date - recognized_to_date) per deal, never netted across deals",
        "deal, month",
        "cutoff_business_day",
        "rollforward_ties, deferred_ties_to_ledger",
        "deferred_vs_ledger, billed_vs_amount",
        "A liability is missing from the balance sheet.",
    ),
    Metric(
        "contract assets",
        "What was recognized ahead of billing.",
        "max(0, recognized_to_date - billed_to_date) per deal",
        "deal, month",
        "cutoff_business_day",
        "rollforward_ties, deferred_ties_to_ledger",
        "deferred_vs_ledger",
        "An asset is shown that nobody can bill.",
    ),
    Metric(
        "remaining performance obligations",
        "What is agreed and must still be recognized.",
        "sum of the schedule after the month",
        "deal, calendar year, month",
        _POLICIES,
        "schedule_adds_up",
        "none",
        "The disclosure promises revenue that is not agreed.",
    ),
    Metric(
        "MRR",
        "Monthly run-rate of recurring lines in force on the month's last day, at stated prices.",
        "what the version spreads / its months (or the weight of its days), rounded per line",
        "customer, month",
        "recurring_revenue_types",
        "terms_are_whole_months",
        "none",
        "Growth is claimed that the deals do not hold.",
        "team:revenue",
    ),
)

_LISTED = (
    ("recurring_policy", "", "total revenue"),
    ("one_time_policy", "", "total revenue"),
    ("recurring_revenue_types", "", "recurring share, MRR"),
    ("allocate_transaction_price", "", "total revenue"),
    ("backdated", "", "total revenue, unrecognized revenue"),
    ("tolerance_cents", "cents", "recognized_vs_schedule, recognized_to_date, billed_vs_amount"),
    ("tolerance_share", "fraction", "recognized_vs_schedule, recognized_to_date"),
    ("ledger_tolerance_share", "fraction", "deferred_vs_ledger"),
    ("materiality_cents", "cents", "recognition_is_within_materiality"),
    ("materiality_share", "fraction", "recognition_is_within_materiality"),
)
_SETTINGS = tuple(name for name, _, _ in _LISTED)


def assumed_queries(month: date, settings: BookingsSettings) -> dict[str, Query]:
    """Return the query for how much of the month rests on policies that no deal names."""
    return {"assumed": load_query(_PACKAGE, "mart/assumed", month=month)}


def metric_register(month: date, settings: BookingsSettings) -> pd.DataFrame:
    """Return the headline metrics of the stream."""
    return register_rows(month, REGISTER, METRICS)


def assumptions(month: date, settings: BookingsSettings, *, assumed: pd.DataFrame) -> pd.DataFrame:
    """Return the assumptions in force, with the lines of the month that each decides."""
    lines = {row["assumption"]: int(row["lines"]) for row in assumed.to_dict(orient="records")}
    listed = [Assumption(name, unit, drives, lines.get(name)) for name, unit, drives in _LISTED]
    return assumption_rows(month, ASSUMPTIONS, listed, settings.values(*_SETTINGS))


RULES = (
    Rule(REGISTER, metric_register, ()),
    Rule(
        ASSUMPTIONS,
        assumptions,
        (same_month("mart", "recognition_schedule"),),
        _SETTINGS,
        ("mart/assumed",),
        assumed_queries,
    ),
)
