"""What the headline metrics of the stream mean, and how much rests on assumptions.

Belongs here: ``metric_register`` and ``assumptions``. Does not belong here: the metrics themselves (``mart``), what such
tables look like (``close.register``).
"""

from datetime import date
from decimal import Decimal

import pandas as pd

from revenue_integrity.close.register import Assumption, Metric, assumption_rows, register_rows
from revenue_integrity.exact import divide, named_rows
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, same_month
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation import schemas

_PACKAGE = "revenue_integrity.streams.colocation"

METRICS = (
    Metric(
        "contracted vs used power",
        "How much of the power that a customer reserved is drawn.",
        "avg_kw / contracted_kw = used_kwh / 24 / reserved_kw_days",
        "contract, month",
        "late_after_days, lookback_days, min_same_weekday_readings, default_load_factor, suspect_factor",
        "meters_are_complete, readings_arrive_on_time, peaks_are_within_reservations",
        "metered_vs_billed_kwh",
        "Capacity is sold twice or stands idle; energy is charged on guesses.",
    ),
    Metric(
        "rack utilization",
        "Racks assigned for each rack contracted.",
        "assigned rack-days / contracted rack-days",
        "contract, month",
        "none",
        "assigned_racks_are_contracted_racks",
        "population",
        "Space is used that nobody pays, or paid that nobody uses.",
    ),
    Metric(
        "MRR",
        "Run-rate of racks and reserved power of the version in force on the month's last day.",
        "racks x rack_price + reserved_kw x kw_price, each rounded, for a full month",
        "customer, month",
        "usage and one-time fees are no MRR",
        "mrr_bridge_adds_up",
        "mrr_bridge",
        "Growth is claimed that the contracts do not hold.",
        "team:revenue",
    ),
    Metric(
        "customer expansion",
        "Increase of MRR of customers that stay.",
        "closing - opening where both are above 0; net retention = (opening + expansion - contraction - churn) / opening",
        "customer, month",
        "a customer without MRR at a month-end has left",
        "mrr_bridge_adds_up",
        "mrr_bridge",
        "Retention looks better or worse than it is.",
        "team:revenue",
    ),
    Metric(
        "power cost allocation",
        "Each site's power bill split over its contracts and what nobody reserved.",
        "hybrid: energy by metered kWh; demand, fixed and tax by reserved kW-days over capacity; largest remainder",
        "site, contract, charge, month",
        "allocation_method, accrual_months",
        "allocated_plus_stranded_is_billed, costs_are_not_negative",
        "power_bill_vs_allocated, erp_vs_allocated_power",
        "A customer subsidises another, or empty halls hide in margins.",
    ),
    Metric(
        "margin by customer",
        "What is left of contractual revenue after power.",
        "revenue_cents - power_cost_cents",
        "customer, month",
        "allocation_method, accrual_months, default_load_factor",
        "revenue_components_add_up, rack_split_adds_up, row_count_is_near_its_trailing_mean",
        "erp_vs_mart, erp_vs_allocated_power",
        "Contracts that lose money are renewed.",
        "team:revenue",
    ),
    Metric(
        "revenue as-of close",
        "ERP lines of the service month posted by its cutoff.",
        "sum of amount where posted_at <= cutoff",
        "month",
        "cutoff_business_day, close_timezone",
        "rows_are_conserved, batch_digests_are_unchanged",
        "erp_vs_mart",
        "Revenue is recognised in the wrong period.",
        "team:controlling",
    ),
    Metric(
        "ERP variance",
        "What the ERP billed less what the contracts say is due.",
        "ERP lines - expected charges, signed and gross",
        "customer, contract, charge type, month",
        "tolerance_cents, tolerance_share, materiality_cents, materiality_share",
        "rows_are_conserved, quarantined_share_is_bearable",
        "erp_vs_mart",
        "Customers are billed what they do not owe, or not billed what they do.",
        "team:controlling",
    ),
)


def metric_register(month: date, settings: Settings) -> pd.DataFrame:
    """Return the register of headline metrics, one row per metric."""
    return register_rows(month, schemas.METRIC_REGISTER, METRICS)


def assumption_queries(month: date, settings: Settings) -> dict[str, Query]:
    """Return the query whose row ``assumptions`` is made from."""
    return {"assumed": load_query(_PACKAGE, "mart/assumed", month=month)}


def assumptions(month: date, settings: Settings, *, assumed: pd.DataFrame) -> pd.DataFrame:
    """Return the assumptions and tolerances in force, with the rows and the share of kWh or cents that rest on each."""
    (found,) = named_rows(assumed)
    accrued = (found.accruals, divide(found.accrued_cents, found.billed_cents, 6))
    estimated = (found.estimated_days, divide(found.estimated_kwh, found.kwh, 6))
    late = (found.late_days, divide(found.late_kwh, found.kwh, 6))
    suspect = (found.suspect_days, divide(found.suspect_kwh, found.kwh, 6))
    every_contract = (found.contracts, Decimal(1) if found.contracts else None)
    listed = [
        Assumption("late_after_days", "days", "contracted vs used power", *late),
        Assumption("lookback_days", "days", "contracted vs used power, margin by customer", *estimated),
        Assumption("min_same_weekday_readings", "readings", "contracted vs used power, margin by customer", *estimated),
        Assumption(
            "default_load_factor", "fraction of the reservation", "contracted vs used power, margin by customer", *estimated
        ),
        Assumption("suspect_factor", "medians", "contracted vs used power", *suspect),
        Assumption("suspect_min_readings", "readings", "contracted vs used power", *suspect),
        Assumption("allocation_method", "method", "power cost allocation, margin by customer", *every_contract),
        Assumption("accrual_months", "months", "power cost allocation, margin by customer", *accrued),
        Assumption("risk_history_months", "months", "margin by customer", *every_contract),
        Assumption("risk_percentile", "fraction of months", "margin by customer", *every_contract),
        Assumption("risk_aversion", "factor", "margin by customer", *every_contract),
        Assumption("stress_price_factor", "factor", "margin by customer", *every_contract),
        Assumption("stress_full_utilization", "fraction of the reservation", "margin by customer", *every_contract),
        Assumption("cutoff_business_day", "business day", "revenue as-of close"),
        Assumption("close_timezone", "time zone", "revenue as-of close"),
        Assumption("tolerance_cents", "cents", "ERP variance"),
        Assumption("tolerance_share", "fraction of the right side", "ERP variance"),
        Assumption("kwh_tolerance_share", "fraction of the right side", "contracted vs used power"),
        Assumption("materiality_cents", "cents", "ERP variance"),
        Assumption("materiality_share", "fraction of expected revenue or power cost", "ERP variance"),
    ]
    values = settings.values(*(each.name for each in listed))
    return assumption_rows(month, schemas.ASSUMPTIONS, listed, values)


_ASSUMED = (
    "late_after_days",
    "lookback_days",
    "min_same_weekday_readings",
    "default_load_factor",
    "suspect_factor",
    "suspect_min_readings",
    "allocation_method",
    "accrual_months",
    "risk_history_months",
    "risk_percentile",
    "risk_aversion",
    "stress_price_factor",
    "stress_full_utilization",
    "cutoff_business_day",
    "close_timezone",
    "tolerance_cents",
    "tolerance_share",
    "kwh_tolerance_share",
    "materiality_cents",
    "materiality_share",
)

RULES = (
    Rule(schemas.METRIC_REGISTER, metric_register, ()),
    Rule(
        schemas.ASSUMPTIONS,
        assumptions,
        (
            same_month("mart", "usage_month"),
            same_month("mart", "contract_month"),
            same_month("curated", "power_bills"),
        ),
        _ASSUMED,
        ("mart/assumed",),
        assumption_queries,
    ),
)
