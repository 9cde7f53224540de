"""Stages 2 and 3 of the cloud stream: costs by day.

Belongs here: their rules and what they read. Does not belong here: which events count (``curated``), months (``month``).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from revenue_integrity.model.query import Query, listed_days, load_query
from revenue_integrity.model.rule import Rule, days_of
from revenue_integrity.model.stage import StageInputs
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.completeness import COMPLETENESS
from revenue_integrity.streams.cloud.curated import events_that_count
from revenue_integrity.streams.cloud.sources import EVENT_SOURCES, EVENTS

if TYPE_CHECKING:
    import duckdb

_PACKAGE = "revenue_integrity.streams.cloud"

_SOURCES = tuple(source.dataset for source in EVENT_SOURCES)


def account_service_day(month: date, settings: Settings) -> Query:
    """Return cost by tenant, account, service and day, from the events that count (30-cloud, *Stages* 2)."""
    return load_query(_PACKAGE, "mart/account_service_day")


def daily_account_cost(month: date, settings: Settings) -> Query:
    """Return cost by tenant, account and day, and whether the day is complete (30-cloud, *Stages* 3)."""
    return load_query(_PACKAGE, "mart/daily_account_cost")


def daily_inputs(connection: "duckdb.DuckDBPyConnection", settings: Settings, days: Sequence[date]) -> StageInputs:
    """Return what stage 3 reads: stage 2 of the days, and the tenants' days that are complete."""
    return StageInputs(
        tables={
            "services_of_days": f"select * from mart.account_service_day where usage_date in ({listed_days(days)})",
            "complete_days": f"""
                select tenant_id, usage_date from meta.cloud_complete_days where usage_date in ({listed_days(days)})
            """,
        }
    )


def cloud_region_day(month: date, settings: Settings) -> Query:
    """Return cost by tenant, region, pricing model and day, from the events that count."""
    return load_query(_PACKAGE, "mart/cloud_region_day")


RULES = (
    Rule(
        schemas.ACCOUNT_SERVICE_DAY,
        account_service_day,
        (days_of("raw", EVENTS.rows_slice, *_SOURCES), days_of("curated", "cloud_event_outcomes")),
        sql=("mart/account_service_day",),
        stage=events_that_count,
    ),
    Rule(
        schemas.CLOUD_REGION_DAY,
        cloud_region_day,
        (days_of("raw", EVENTS.rows_slice, *_SOURCES), days_of("curated", "cloud_event_outcomes")),
        sql=("mart/cloud_region_day",),
        stage=events_that_count,
    ),
    Rule(
        schemas.DAILY_ACCOUNT_COST,
        daily_account_cost,
        (days_of("mart", "account_service_day"), days_of("raw", COMPLETENESS, *_SOURCES)),
        sql=("mart/daily_account_cost",),
        stage=daily_inputs,
    ),
)
