"""Tables of the cloud stream: event outcomes, costs by day, their month, the ledger of restatements.

Belongs here: what each table is, its key, columns, units. Does not belong here: how it is made (``curated``, ``mart``,
``recon``), raw tables (they follow from ``sources``).
"""

from functools import partial

import pandera.pandas as pa

from revenue_integrity.landing.eventstore.outcomes import outcomes_table
from revenue_integrity.model import table as column
from revenue_integrity.model.source import Source
from revenue_integrity.model.table import Table, table
from revenue_integrity.streams.cloud.sources import ACCOUNTS, EVENT_SOURCES, EVENTS, PRICING, REGIONS, SERVICES

_SOURCE_NAMES = tuple(source.name for source in EVENT_SOURCES)

_DAY = EVENTS.day
_curated = partial(table, "cloud", "curated", slice_column=_DAY)
_mart = partial(table, "cloud", "mart")

RESTATEMENT_CAUSES = ("late", "correction", "duplicate_removed", "deletion", "moved", "omission")
"""Why a published account-day changed (30-cloud, *Restatement ledger*)."""

FORMERLY = {"total_cost": "total_cost_usd", "effective_cost": "effective_cost_usd"}
"""Costs are in the deployment's currency, whatever it is: the names of the release before promised dollars."""


def cost(name: str, description: str, *, null: bool = False) -> pa.Column:
    """Return a column of an exact cost: 18 places, never rounded."""
    return column.decimal(name, description, unit="currency units", places=18, digits=38, null=null)


def _tenant() -> pa.Column:
    return column.text("tenant_id", "The tenant.")


def _account() -> pa.Column:
    return column.text("account_id", "The account; UNKNOWN for what names none.")


def _usage_date() -> pa.Column:
    return column.day("usage_date", "Day of the usage (UTC).")


CLOUD_EVENT_OUTCOMES = outcomes_table(
    EVENTS,
    "cloud_event_outcomes",
    "Stage 1: rows that do not count, one row per version of an event that is superseded, an exact duplicate or deleted.",
    ("account_id", "cost"),
)

CLOUD_EVENTS = _curated(
    "cloud_events",
    "Stage 1: events and charges that count, one row per surviving event (billing_events) or charge row (FOCUS).",
    ("source", "batch_id", "file_name", "row_number"),
    [
        column.month(),
        _usage_date(),
        column.text("source", "The source of the row.", isin=_SOURCE_NAMES),
        # What is deleted is not among them, and the scope is of the store.
        *(each.table_column() for each in EVENTS.columns if each.stored not in (EVENTS.day, EVENTS.ends, EVENTS.scope)),
        column.integer("versions", "Versions that the event has, exact duplicates left out.", unit="versions", ge=1),
        column.text("batch_id", "The batch that brought it."),
        column.instant("arrival", "When the batch became visible."),
        column.text("file_name", "File of the batch."),
        column.integer("row_number", "Data row in the file; 1 is the first.", unit="rows", ge=1),
    ],
)

ACCOUNT_SERVICE_DAY = _mart(
    "account_service_day",
    "Stage 2: cost by day, one row per tenant, account, service and day.",
    ("month", "tenant_id", "account_id", "service_name", "usage_date"),
    [
        column.month(),
        _tenant(),
        _account(),
        column.text("service_name", "The service; UNKNOWN for what names none."),
        _usage_date(),
        cost("total_cost", "Cost of its events, exact."),
        cost("effective_cost", "Amortised cost of the rows that say one; empty where none does.", null=True),
        column.integer("event_count", "Events and charge rows that count.", unit="rows", ge=1),
    ],
    published_slices=True,
    slice_column=_DAY,
    formerly=FORMERLY,
)

DAILY_ACCOUNT_COST = _mart(
    "daily_account_cost",
    "Stage 3, the published contract: cost by day, one row per tenant, account and day.",
    ("month", "tenant_id", "account_id", "usage_date"),
    [
        column.month(),
        _tenant(),
        _account(),
        _usage_date(),
        cost("total_cost", "Cost of its events, exact."),
        column.integer("event_count", "Events and charge rows that count.", unit="rows", ge=1),
        column.flag(
            "data_complete", "Whether the day's cutoff has passed and every expected source has delivered since its end."
        ),
        column.instant("published_at", "When this content was published first; set on publishing.", null=True),
    ],
    content_excludes=("published_at",),
    published_slices=True,
    slice_column=_DAY,
)

CLOUD_REGION_DAY = _mart(
    "cloud_region_day",
    "Cost by day, region and pricing model, one row per tenant, region, pricing model and day; from the events that count.",
    ("month", "tenant_id", "region", "pricing_model", "usage_date"),
    [
        column.month(),
        _tenant(),
        column.text("region", "The region; UNKNOWN for what names none."),
        column.text("pricing_model", "How it is priced."),
        _usage_date(),
        cost("total_cost", "Cost of its events, exact."),
        cost("effective_cost", "Amortised cost of the rows that say one; empty where none does.", null=True),
        column.integer("event_count", "Events and charge rows that count.", unit="rows", ge=1),
    ],
    slice_column=_DAY,
)

DIMENSIONS = ("region", "pricing_model", "billing_owner", "service_category")

CLOUD_COST_BY = _mart(
    "cloud_cost_by",
    "The month's cost by one dimension after the other, one row per tenant, dimension and value; each adds up to the month.",
    ("month", "tenant_id", "dimension", "value"),
    [
        column.month(),
        _tenant(),
        column.text("dimension", "What the cost is broken down by.", isin=DIMENSIONS),
        column.text("value", "Region, pricing model, owner or category; UNKNOWN for what names none."),
        column.text("name", "Name of the region, description of the pricing model, else the value; UNKNOWN without one."),
        cost("total_cost", "Cost of its events, exact."),
        cost("effective_cost", "Amortised cost of the rows that say one; empty where none does.", null=True),
        column.integer("event_count", "Events and charge rows that count.", unit="rows", ge=1),
    ],
)

CLOUD_DAYS = _mart(
    "cloud_days",
    "When each day of a tenant was due and available, one row per tenant and day, also of days for which nothing came.",
    ("month", "tenant_id", "usage_date"),
    [
        column.month(),
        _tenant(),
        _usage_date(),
        column.instant("due_at", "The publishing cutoff of the day."),
        column.instant(
            "available_at",
            "When the last expected source had delivered since the end of the day; empty while one has not.",
            null=True,
        ),
        column.flag("in_time", "Whether it was available when it was due."),
        column.flag("complete", "Whether the day's cutoff has passed and every expected source has delivered since its end."),
        column.integer("events", "Events and charge rows that count.", unit="rows", ge=0),
    ],
)


def look_up(source: Source, called: str) -> Table:
    """Declare what is exported of a look-up: its rows as they stand at present, without a month."""
    shown = [each.table_column() for each in source.columns]
    return table("cloud", "mart", called, f"{source.description} As it stands at present.", source.key, shown, partition="")


LOOK_UPS = {
    source: look_up(source, called)
    for source, called in (
        (ACCOUNTS, "cloud_dim_account"),
        (SERVICES, "cloud_dim_service"),
        (REGIONS, "cloud_dim_region"),
        (PRICING, "cloud_dim_pricing_model"),
    )
}

CLOUD_MONTH = _mart(
    "cloud_month",
    "The month with the names that the look-ups give at present, one row per tenant, account and service.",
    ("month", "tenant_id", "account_id", "service_name"),
    [
        column.month(),
        _tenant(),
        _account(),
        column.text("service_name", "The service; UNKNOWN for what names none."),
        column.text("account_name", "Name of the account; unknown where the look-up lacks it."),
        column.text("billing_owner", "Who answers for its cost; unknown where the look-up lacks it."),
        column.text("service_category", "Category of the service; unknown where the look-up lacks it."),
        cost("total_cost", "Cost of its events, exact."),
        cost("effective_cost", "Amortised cost of the rows that say one; empty where none does.", null=True),
        column.integer("event_count", "Events and charge rows that count.", unit="rows", ge=1),
        column.integer("days", "Days with any.", unit="days", ge=1, le=31),
    ],
    formerly=FORMERLY,
)

CLOUD_RESTATEMENT = _mart(
    "cloud_restatement",
    "Changes of published account-days, one row per publication, account-day, cause and batch; the deltas add up to the change.",
    ("month", "usage_date", "publication", "tenant_id", "account_id", "step"),
    [
        column.month(),
        _usage_date(),
        column.integer("publication", "Number of the day's publication that changed it; 2 is the first change.", ge=2),
        _tenant(),
        _account(),
        column.integer("step", "Order of the changes of one account-day in one publication.", ge=1),
        cost("old_cost", "Cost of the account-day before this change."),
        cost("new_cost", "Cost of the account-day after it."),
        cost("delta", "The change."),
        column.text("cause", "Why it changed.", isin=RESTATEMENT_CAUSES),
        column.text("batch_id", "The batch that changed it."),
        column.integer("rows", "Rows behind the change.", unit="rows", ge=1),
    ],
)
