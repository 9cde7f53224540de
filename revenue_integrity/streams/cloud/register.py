"""What the headline metrics of the stream mean, and how much rests on assumptions.

Belongs here: ``cloud_metric_register`` and ``cloud_assumptions``. Does not belong here: the metrics themselves (``mart``,
``recon``), what such tables look like (``close.register``).
"""

from collections.abc import Mapping
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
from revenue_integrity.exact import divide
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, same_month
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.sources import DEFAULT_TENANT, STREAM

_PACKAGE = "revenue_integrity.streams.cloud"
_PREFIX = "cloud_"

METRIC_REGISTER = register_table(STREAM, _PREFIX)

ASSUMPTIONS = assumptions_table(STREAM, _PREFIX, "absolute cost")

DAILY_COST, COMPLETENESS, INVOICED, RESTATED = "daily account cost", "data completeness", "invoiced cost", "restated cost"

METRICS = (
    Metric(
        DAILY_COST,
        "What an account's usage of a UTC day costs, as billed.",
        "sum of cost of the events that count + sum of BilledCost of the exports that stand",
        "tenant, account, day",
        "the latest ingestion of an event wins (ingested_at, arrival, file name, row number); a FOCUS delivery replaces its"
        " provider, billing account and period, and its rows are never deduplicated; a charge for a longer period counts on its"
        " first day; EffectiveCost is carried beside and never mixed in; what names no tenant belongs to the default one;"
        " a first load of history is no recomputation, what comes later than cloud_lookback_days is set aside until somebody"
        " asks for it",
        "stages_agree, events_are_conserved, costs_have_their_sign, delivered_days_are_not_empty, costs_move_believably,"
        " nothing_is_set_aside, versions_do_not_conflict",
        "cloud_invoices",
        "Costs are counted twice or not at all, and charged on to the wrong account.",
    ),
    Metric(
        COMPLETENESS,
        "Whether all that is expected for a tenant has arrived for a day.",
        "publishing cutoff passed and each expected source has delivered at or after the end of the day",
        "tenant, day",
        "follows from arrivals alone, never from the clock; without expected_sources those that delivered in the days before",
        "days_are_complete, delivered_days_are_not_empty",
        "none",
        "A half day is taken for a cheap one.",
    ),
    Metric(
        INVOICED,
        "Whether what was charged is what the provider invoiced.",
        "sum of BilledCost - amount of the invoice",
        "provider, billing period, invoice",
        "charges that name no invoice are compared with the invoices of provider and period that no charge names",
        "invoices_tie, charges_are_invoiced, cloud_invoices_cover_cutoff",
        "cloud_invoices",
        "Invoices are paid that nobody can explain.",
        "team:controlling",
    ),
    Metric(
        RESTATED,
        "What changed of account-days that were published.",
        "new cost - cost published before, by cause and batch",
        "account-day, publication, cause, batch",
        "a day is published when its content changes, and only then",
        "stages_agree, events_are_conserved",
        "none",
        "Figures move and nobody can say why.",
        "team:controlling",
    ),
)


def cloud_metric_register(month: date, settings: Settings) -> pd.DataFrame:
    """Return the register of headline metrics, one row per metric."""
    return register_rows(month, METRIC_REGISTER, METRICS)


_ASSUMED = (
    "billing_events_cost_sign",
    "cloud_lookback_days",
    "available_by",
    "cloud_incomplete_days",
    "expected_source_days",
    "expected_sources",
    "tenant_of_billing_account",
    "cost_jump_factor",
    "cost_jump_days",
    "cost_jump_min_days",
    "invoice_tolerance",
)


def cloud_assumptions(month: date, settings: Settings, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the assumptions and tolerances in force, with the rows and the share of absolute cost that rest on each."""
    of_month = costs.iloc[0]
    gross = of_month["gross_cost"]
    incomplete = (int(of_month["incomplete_rows"]), divide(of_month["incomplete_cost"], gross, 6))
    without_tenant = (int(of_month["default_tenant_rows"]), divide(of_month["default_tenant_cost"], gross, 6))
    listed = [
        Assumption("billing_events_cost_sign", "signed or not", DAILY_COST),
        Assumption("cloud_lookback_days", "days", f"{DAILY_COST}, {RESTATED}"),
        Assumption("available_by", "time after the usage day (UTC)", COMPLETENESS, *incomplete),
        Assumption("cloud_incomplete_days", "flag or hold", COMPLETENESS, *incomplete),
        Assumption("expected_source_days", "days", COMPLETENESS, *incomplete),
        Assumption("expected_sources", "sources by tenant", COMPLETENESS, *incomplete),
        Assumption("tenant_of_billing_account", "tenant by account", DAILY_COST, *without_tenant),
        Assumption("cost_jump_factor", "medians", DAILY_COST),
        Assumption("cost_jump_days", "days", DAILY_COST),
        Assumption("cost_jump_min_days", "days", DAILY_COST),
        Assumption("invoice_tolerance", "currency units", INVOICED),
    ]
    return assumption_rows(month, ASSUMPTIONS, listed, settings.values(*_ASSUMED))


def assumed_costs(month: date, settings: Settings) -> Mapping[str, Query]:
    """Return the query of what rests on assumptions: the days themselves never enter Python."""
    return {"costs": load_query(_PACKAGE, "mart/assumed_costs", month=month, default_tenant=DEFAULT_TENANT)}


RULES = (
    Rule(METRIC_REGISTER, cloud_metric_register, ()),
    Rule(
        ASSUMPTIONS,
        cloud_assumptions,
        (same_month("mart", "account_service_day"), same_month("mart", "daily_account_cost")),
        _ASSUMED,
        ("mart/assumed_costs",),
        assumed_costs,
    ),
)
