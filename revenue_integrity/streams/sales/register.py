"""What the headline metrics of the stream mean, and what they take for granted.

Belongs here: ``sales_metric_register`` and ``sales_assumptions``. Does not belong here: the metrics themselves (``mart``), what
such tables look like (``close.register``).
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
from revenue_integrity.model.rule import Rule
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.sources import STREAM

REGISTER = register_table(STREAM, f"{STREAM}_")
ASSUMPTIONS = assumptions_table(STREAM, f"{STREAM}_", "lines")

_READING = "sales_timezone, sales_date_order, sales_quantity, sales_anonymous, sales_discount_unit"
_SUMS = "facts_add_up, facts_have_their_dimensions, one_version_in_force"

METRICS = (
    Metric(
        "total sales",
        "What was sold for in the month, without tax.",
        "sum of total_cents",
        "region, category, product, customer, month",
        _READING,
        _SUMS,
        "sales_vs_ledger, loaded_vs_sent",
        "Revenue is reported that nobody sold.",
        "team:sales",
    ),
    Metric(
        "average sale",
        "What a transaction comes to.",
        "total_cents / transactions, rounded once",
        "month",
        _READING,
        _SUMS,
        "sales_vs_ledger",
        "Growth of prices is taken for growth of business.",
        "team:sales",
    ),
    Metric(
        "discount share",
        "Share of the price that was given away.",
        "sum of discount_cents / sum of gross_cents",
        "region, month",
        "sales_discount_unit",
        "discounts_are_plausible",
        "sales_vs_ledger",
        "Margin is given away unseen.",
        "team:sales",
    ),
    Metric(
        "sales year to date",
        "What was sold for from January up to the month.",
        "sum of total_cents of the year",
        "month",
        _READING,
        _SUMS,
        "sales_vs_ledger",
        "The year is told otherwise than its months.",
        "team:sales",
    ),
    Metric(
        "high-value sales",
        "Transactions above a value.",
        "transactions whose lines of the month come to more than high_value_cents",
        "month",
        "high_value_cents",
        _SUMS,
        "sales_vs_settlements",
        "A few large sales carry the month and nobody looks at them.",
        "team:sales",
    ),
    Metric(
        "loyalty points",
        "Points of the customers on the last day of the month.",
        "sum of loyalty_points",
        "region, month",
        "sales_timezone",
        "customers_are_valid",
        "none",
        "A liability grows unseen.",
    ),
    Metric(
        "unsettled sales",
        "What was sold and charged by nobody.",
        "sum of causes unsettled",
        "transaction, month",
        "cash_methods",
        "every_sale_is_explained, settlements_are_within_materiality",
        "sales_vs_settlements",
        "Money is never collected.",
    ),
    Metric(
        "unbooked sales",
        "What was sold and stands nowhere in the ledger.",
        "sum of causes unbooked",
        "region, category, month",
        "sales_ledger_grain",
        "every_sale_is_explained, sales_are_within_materiality",
        "sales_vs_ledger",
        "Revenue is missing from the books.",
    ),
)

_LISTED = (
    ("sales_timezone", "", "total sales"),
    ("sales_date_order", "", "total sales"),
    ("sales_anonymous", "", "total sales"),
    ("sales_quantity", "", "total sales"),
    ("sales_discount_unit", "", "total sales, discount share"),
    ("sales_ledger_grain", "", "sales_vs_ledger"),
    ("high_value_cents", "cents", "high-value sales"),
    ("cash_methods", "", "sales_vs_settlements"),
    ("tolerance_cents", "cents", "sales_vs_ledger"),
    ("tolerance_share", "fraction", "sales_vs_ledger"),
    ("materiality_cents", "cents", "sales_are_within_materiality, settlements_are_within_materiality"),
    ("materiality_share", "fraction", "sales_are_within_materiality, settlements_are_within_materiality"),
)
_SETTINGS = tuple(name for name, _, _ in _LISTED)


def metric_register(month: date, settings: SalesSettings) -> pd.DataFrame:
    """Return the headline metrics of the stream."""
    return register_rows(month, REGISTER, METRICS)


def assumptions(month: date, settings: SalesSettings) -> pd.DataFrame:
    """Return the assumptions in force."""
    listed = [Assumption(name, unit, drives, None) for name, unit, drives in _LISTED]
    return assumption_rows(month, ASSUMPTIONS, listed, settings.values(*_SETTINGS))


RULES = (Rule(REGISTER, metric_register, ()), Rule(ASSUMPTIONS, assumptions, (), _SETTINGS))
