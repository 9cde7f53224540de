"""A home with one stream of one dataset, whose months are published as they are given; and reading what a database holds.

Belongs here: what tests of deliveries share. Does not belong here: any expectation.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from revenue_integrity.databases import resolve_url
from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Delivery, Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.hashing import canonical_digest
from revenue_integrity.warehouse.storage import arrow_schema

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)

URL = "DELIVERY_URL"
"""The variable with the URL of the database."""

TRIPS = table(
    "boats",
    "mart",
    "trips",
    "Trips, one row per trip.",
    ("trip_id",),
    [
        column.month(),
        column.text("trip_id", "The trip."),
        column.text("email", "Address of the customer.", null=True),
        column.money("fare_cents", "What it cost."),
        column.integer("guests", "Guests.", unit="guests", null=True),
        column.decimal("miles", "Distance.", unit="miles", null=True),
    ],
    indexes=(("guests", "trip_id"),),
)


def trip(month: date, trip_id: str, fare_cents: int, **more: Any) -> dict[str, Any]:
    """Return a row of the dataset."""
    return {"month": month, "trip_id": trip_id, "email": None, "fare_cents": fare_cents, "guests": None, "miles": None} | more


def home_of(home: Path, *tables: Table, deliveries: Sequence[Delivery] = (), **values: Any) -> Deployment:
    """Return a home whose one stream has some tables."""
    settings = Settings(home=home, deliveries=tuple(deliveries), threads=1, lock_timeout_seconds=5, **values)
    return Deployment(settings, Streams.of(Stream("boats", (), (), (), ledgers=tables or (TRIPS,))))


def delivery(**values: Any) -> Delivery:
    """Return a delivery of the dataset alone."""
    return Delivery.model_validate({"name": "bi", "url_env": URL, "schema": "gold", "select": {"datasets": ["trips"]}} | values)


def put(deployment: Deployment, month: date, rows: Sequence[Mapping[str, Any]], declared: Table = TRIPS) -> str:
    """Publish a month of a dataset as it is given, in key order; return its content hash."""
    return publish_month(deployment.settings, "boats", declared, month, rows)


def publish_month(settings: Settings, stream: str, declared: Table, month: date, rows: Sequence[Mapping[str, Any]]) -> str:
    """Publish a month of a stream's dataset; return its content hash."""
    found = pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(declared))
    with publish.verifying() as connection:
        connection.register("given", found)
        digest = canonical_digest(connection, declared, "given")
        order = ", ".join(f'"{name}"' for name in declared.identity)
        found = connection.sql(f"select * from given order by {order}").to_arrow_table().cast(arrow_schema(declared))
    facts: dict[str, Any] = {"as_of": "", "code_version": "", "batches": [], "checks": []}
    publish.publish(settings, declared, month, found, content_hash=digest, **facts)
    hashes = publish.closed_hashes(settings, stream, month) | {declared.name: digest}
    publish.close_month(settings, stream, month, hashes, {}, as_of="")
    return digest


def asked(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query of the database that the variable names."""
    engine = sa.create_engine(resolve_url(URL), connect_args={"options": "-c timezone=UTC"})
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(sql), parameters)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()
