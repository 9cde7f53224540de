"""Stage 1 of the cloud stream: which events and charges count.

Belongs here: the rule of ``cloud_event_outcomes``, the surviving events themselves. Does not belong here: the event store
(``landing.eventstore``), costs (``mart``).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from revenue_integrity.landing.eventstore.outcomes import outcomes_rule
from revenue_integrity.landing.eventstore.reading import live_days, row_inputs
from revenue_integrity.model.dataset import Streamed
from revenue_integrity.model.query import load_query
from revenue_integrity.model.rule import days_of
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.sources import BILLING_EVENTS, EVENTS
from revenue_integrity.warehouse.engine import DuckDBEngine

if TYPE_CHECKING:
    import duckdb

_PACKAGE = "revenue_integrity.streams.cloud"

PORTABLE = (
    "mart/account_service_day",
    "mart/account_service_day_held",
    "mart/cloud_region_day",
    "mart/cloud_region_day_held",
    "mart/daily_account_cost",
)
"""SQL that runs on both engines, beside that of outcomes."""

events_that_count = row_inputs(EVENTS, schemas.CLOUD_EVENT_OUTCOMES)
"""What stage 2 reads: all live rows of some days, and those of them that do not count."""


def surviving_events(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, wanted: Sequence[date], tenant: str | None = None
) -> "duckdb.DuckDBPyRelation":
    """Return the rows of ``cloud_events`` of some months, read from the store: events and charges that count, in key order."""
    inputs = events_that_count(connection, settings, live_days(connection, EVENTS, wanted))
    query = DuckDBEngine().run(connection, load_query(_PACKAGE, "curated/cloud_events").sql, inputs)
    return connection.sql(query.sql, params={"tenant": tenant}).select(*schemas.CLOUD_EVENTS.columns)


EXPORTED = Streamed(
    schemas.CLOUD_EVENTS,
    surviving_events,
    (
        days_of("raw", EVENTS.rows_slice),
        days_of("raw", EVENTS.versions_slice),
        days_of("curated", schemas.CLOUD_EVENT_OUTCOMES.name),
    ),
)

RULES = (outcomes_rule(EVENTS, schemas.CLOUD_EVENT_OUTCOMES, (BILLING_EVENTS,)),)
