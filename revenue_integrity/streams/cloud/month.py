"""The month of accounts and services, named by the look-ups.

Belongs here: what alone reads look-ups, so that a change of one makes no day stale; when days were
due and available. Does not belong here: the days (``mart``), their reconciliation (``recon``).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from revenue_integrity import months
from revenue_integrity.model.dataset import Streamed
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Rule, all_of, raw, same_month
from revenue_integrity.model.source import Source
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.completeness import DAYS, HELD

if TYPE_CHECKING:
    import duckdb

_PACKAGE = "revenue_integrity.streams.cloud"


def cloud_month(month: date, settings: Settings) -> Query:
    """Return the month's cost by tenant, account and service, with the names that the look-ups have at present."""
    return load_query(_PACKAGE, "mart/cloud_month", month=month)


def cloud_cost_by(month: date, settings: Settings) -> Query:
    """Return the month's cost by region, pricing model, owner and service category, one dimension after the other."""
    return load_query(_PACKAGE, "mart/cloud_cost_by", month=month)


def cloud_days(month: date, settings: Settings) -> Query:
    """Return when each day of a tenant was due and available, and how many events it has."""
    return load_query(_PACKAGE, "mart/cloud_days", month=month, month_end=months.last_day(month))


def _exported(source: Source, table: Table) -> Streamed:
    """Return what is exported of a look-up: its rows that count, in key order; of one tenant where it has tenants."""

    def relation(
        connection: "duckdb.DuckDBPyConnection", settings: Settings, wanted: Sequence[date], tenant: str | None
    ) -> "duckdb.DuckDBPyRelation":
        of_tenant = "tenant_id = $tenant" if "tenant_id" in table.columns else "true"
        return connection.sql(
            f"select {', '.join(table.columns)} from raw.{source.dataset} where row_status = 'surviving'"
            f" and ($tenant::varchar is null or {of_tenant}) order by {', '.join(table.key)}",
            params={"tenant": tenant},
        )

    return Streamed(table, relation, (all_of("raw", source.dataset),))


EXPORTED = tuple(_exported(source, table) for source, table in schemas.LOOK_UPS.items())
"""The look-ups as people ask for them."""

RULES = (
    Rule(
        schemas.CLOUD_MONTH,
        cloud_month,
        (same_month("mart", "account_service_day"), raw("accounts"), raw("services")),
        sql=("mart/cloud_month",),
    ),
    Rule(
        schemas.CLOUD_COST_BY,
        cloud_cost_by,
        (
            same_month("mart", "account_service_day"),
            same_month("mart", "cloud_region_day"),
            *(raw(source.dataset) for source in schemas.LOOK_UPS),
        ),
        sql=("mart/cloud_cost_by",),
    ),
    Rule(
        schemas.CLOUD_DAYS,
        cloud_days,
        (same_month("mart", "daily_account_cost"), same_month("curated", "cloud_event_outcomes"), raw(DAYS), raw(HELD)),
        sql=("mart/cloud_days",),
    ),
)
