"""Homes with the toy stream in them: what they hold, and running them with Dagster or without.

Belongs here: what tests of mechanisms need of the toy stream (``toy``), which is the smallest that has one of everything. Does
not belong here: any expectation.

Two boats in January and February 2025. January: B-1 was rented twice, for 100.00 and 50.00, and B-2 once, for 70.00; all of it
was booked on the 2nd of the next month. February: B-1 once for 120.00. Each month's file arrives on the 10th of the next one.
"""

import csv
import functools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from revenue_integrity.landing.ingest import ingest
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.settings import Settings, joined
from revenue_integrity.streams.registry import settings_model
from revenue_integrity.warehouse import database
from revenue_integrity_tests.cases import compute
from revenue_integrity_tests.toy.settings import ToySettings
from revenue_integrity_tests.toy.stream import TOY

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)

NOW = datetime(2025, 3, 11, 9, tzinfo=UTC)
"""A present after the cutoff of February (2025-03-07)."""

RENTALS: Mapping[str, tuple[tuple[str, str, str, str], ...]] = {
    "2025-01": (("R-1", "B-1", "100.00", "100.00"), ("R-2", "B-1", "50.00", "50.00"), ("R-3", "B-2", "70.00", "70.00")),
    "2025-02": (("R-4", "B-1", "120.00", "120.00"),),
}
"""Rental, boat, due and booked, by service month."""

_ARRIVALS = {"2025-01": "20250210T000000Z", "2025-02": "20250310T000000Z"}
_BOOKED = {"2025-01": "2025-02-02T10:00:00Z", "2025-02": "2025-03-02T10:00:00Z"}


def toy_settings(home: Path, **values: Any) -> Settings:
    """Return the settings of a home whose one stream is the toy: two months, a preparer and an approver."""
    own = {"home": home, "first_month": "2025-01", "last_month": "2025-02", "threads": 1}
    return joined(ToySettings)(**({"preparers": ("pat",), "approvers": ("ann",)} | own | values))


def toy_deployment(home: Path, **values: Any) -> Deployment:
    """Return a home whose one stream is the toy."""
    return Deployment(toy_settings(home, **values), Streams.of(TOY))


def beside(home: Path, *others: Stream, **values: Any) -> Deployment:
    """Return a home with the toy and other streams; the settings are those of the product's streams, too."""
    own = {"home": home, "first_month": "2025-01", "last_month": "2025-02", "threads": 1}
    return Deployment(_all_settings()(**(own | values)), Streams.of(TOY, *others))


@functools.cache
def _all_settings() -> type[Settings]:
    return joined(*settings_model().__bases__[:-1], ToySettings)


def rental(month: str, rental_id: str, boat_id: str, due: str, booked: str = "", **changes: str) -> dict[str, str]:
    """Return a row of the source, with some fields changed."""
    row = {"rental_id": rental_id, "service_month": month, "boat_id": boat_id, "due": due, "booked": booked}
    return row | {"booked_at": _BOOKED[month] if booked else "", "currency": "USD"} | changes


def put(settings: Settings, arrival: str, rows: Iterable[Mapping[str, str]], *, stream: str = "toy") -> str:
    """Put rows into the landing zone as a batch and return its id."""
    listed = list(rows)
    batch_id = f"{stream}/rentals/{arrival}"
    unfinished = settings.landing_path / stream / "rentals" / f".{arrival}"
    unfinished.mkdir(parents=True)
    with (unfinished / "rentals.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    unfinished.rename(settings.landing_path / batch_id)
    return batch_id


def land_all(settings: Settings, *, stream: str = "toy") -> None:
    """Put both months into the landing zone."""
    for month, rows in RENTALS.items():
        put(settings, _ARRIVALS[month], [rental(month, *row) for row in rows], stream=stream)


@contextmanager
def computed(deployment: Deployment) -> Iterator[duckdb.DuckDBPyConnection]:
    """Ingest and compute all streams of a home, without Dagster; yield the open warehouse."""
    settings = deployment.settings
    with database.connect(settings) as connection:
        for stream in deployment.streams:
            ingest(connection, settings.landing_path, stream.sources, settings)
            compute(connection, settings, stream, settings.months)
        yield connection
