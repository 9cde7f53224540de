"""Stages 2 and 3 of the cloud stream: costs by day.

Belongs here: their rules and what they read. Does not belong here: which events count (``curated``), months (``month``).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from revenue_integrity.model.query import Query, listed_days, load_query
from revenue_integrity.model.rule import Rule, days_of
from revenue_integrity.model.stage import Stage, StageInputs
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.completeness import COMPLETENESS, HELD
from revenue_integrity.streams.cloud.curated import events_that_count
from revenue_integrity.streams.cloud.settings import CloudSettings
from revenue_integrity.streams.cloud.sources import EVENT_SOURCES, EVENTS
from revenue_integrity.warehouse.storage import ensure_table

if TYPE_CHECKING:
    import duckdb

_PACKAGE = "revenue_integrity.streams.cloud"

_SOURCES = tuple(source.dataset for source in EVENT_SOURCES)


def account_service_day(month: date, settings: CloudSettings) -> Query:
    """Return cost by tenant, account, service and day, from the events that count (30-cloud, *Stages* 2)."""
    return load_query(_PACKAGE, f"mart/account_service_day{_held(settings)}")


def _held(settings: CloudSettings) -> str:
    """Return how the queries are called that hold days back, empty where none is."""
    return "_held" if settings.cloud_incomplete_days == "hold" else ""


def daily_account_cost(month: date, settings: Settings) -> Query:
    """Return cost by tenant, account and day, and whether the day is complete (30-cloud, *Stages* 3)."""
    return load_query(_PACKAGE, "mart/daily_account_cost")


def shown_events(table: Table) -> Stage:
    """Return what stage 2 reads: events that count, tenants' days that are held back, and what is kept of these."""
    return partial(_shown_events, table)


def _shown_events(table: Table, connection: "duckdb.DuckDBPyConnection", settings: Settings, days: Sequence[date]) -> StageInputs:
    inputs = events_that_count(connection, settings, days)
    wanted = f"usage_date in ({listed_days(days)})"
    held = f"select tenant_id, usage_date from meta.cloud_held_days where {wanted}"
    ensure_table(connection, table)
    kept = f"select {', '.join(table.columns)} from {table.qualified} where false"
    if connection.execute(f"select 1 from ({held}) limit 1").fetchall():
        ensure_table(connection, schemas.DAILY_ACCOUNT_COST)
        # Aside, for the rows of these days are taken out before the new ones are written.
        connection.execute(f"""
            create or replace temp table kept_of_{table.name} as
            select * from {table.qualified} semi join ({held}) using (tenant_id, usage_date)
            semi join (select * from {schemas.DAILY_ACCOUNT_COST.qualified} where data_complete) using (tenant_id, usage_date)
        """)
        kept = f"select {', '.join(table.columns)} from kept_of_{table.name}"
    return replace(inputs, tables={**inputs.tables, "held_days": held, "kept_rows": kept})


def daily_inputs(connection: "duckdb.DuckDBPyConnection", settings: Settings, days: Sequence[date]) -> StageInputs:
    """Return what stage 3 reads: stage 2 of the days, and the tenants' days that are complete, or were when they were kept."""
    return StageInputs(
        tables={
            "services_of_days": f"select * from mart.account_service_day where usage_date in ({listed_days(days)})",
            "complete_days": f"""
                select tenant_id, usage_date from meta.cloud_complete_days where usage_date in ({listed_days(days)})
                union
                select tenant_id, usage_date from meta.cloud_held_days where usage_date in ({listed_days(days)})
            """,
        }
    )


def cloud_region_day(month: date, settings: CloudSettings) -> Query:
    """Return cost by tenant, region, pricing model and day, from the events that count."""
    return load_query(_PACKAGE, f"mart/cloud_region_day{_held(settings)}")


_EVENTS_SHOWN = (
    days_of("raw", EVENTS.rows_slice, *_SOURCES),
    days_of("curated", "cloud_event_outcomes"),
    days_of("raw", HELD, *_SOURCES),
)

RULES = (
    Rule(
        schemas.ACCOUNT_SERVICE_DAY,
        account_service_day,
        _EVENTS_SHOWN,
        settings=("cloud_incomplete_days",),
        sql=("mart/account_service_day", "mart/account_service_day_held"),
        stage=shown_events(schemas.ACCOUNT_SERVICE_DAY),
    ),
    Rule(
        schemas.CLOUD_REGION_DAY,
        cloud_region_day,
        _EVENTS_SHOWN,
        settings=("cloud_incomplete_days",),
        sql=("mart/cloud_region_day", "mart/cloud_region_day_held"),
        stage=shown_events(schemas.CLOUD_REGION_DAY),
    ),
    Rule(
        schemas.DAILY_ACCOUNT_COST,
        daily_account_cost,
        (
            days_of("mart", "account_service_day"),
            days_of("raw", COMPLETENESS, *_SOURCES),
            days_of("raw", HELD, *_SOURCES),
        ),
        sql=("mart/daily_account_cost",),
        stage=daily_inputs,
    ),
)
