"""Tables that belong to no month: made when what they read has changed, published whole, read by their name.

Belongs here: the mechanism, with the toy stream and one such table more. Does not belong here: any stream's own tables.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.computing import ingestion, past_world, whole_tables
from revenue_integrity.desk import accounting
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model import table as column
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.query import Query
from revenue_integrity.model.rule import Rule, all_of
from revenue_integrity.model.stream import Streams
from revenue_integrity.model.table import table
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.serving import export
from revenue_integrity.warehouse import publish
from revenue_integrity_tests.computing.test_past_world import BETWEEN
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import land_all, put, rental, toy_settings
from revenue_integrity_tests.without_dagster import bring_up_to_date

EVERY_BOAT = table(
    "toy",
    "mart",
    "toy_every_boat",
    "Every boat that was ever rented out, one row per boat; of no month.",
    ("boat_id",),
    [
        column.text("boat_id", "The boat."),
        column.day("first_rented", "First month of a rental."),
        column.integer("rentals", "Rentals of all months.", unit="rentals", ge=1),
    ],
    partition="",
)


def toy_every_boat(month: date, settings: Any) -> Query:
    """Return every boat with its rentals of all months."""
    return Query(
        "select boat_id, min(month) as first_rented, count(*) as rentals from curated.toy_rentals group by boat_id",
    )


def home_with(tmp_path: Path, *rules: Rule) -> Deployment:
    return Deployment(toy_settings(tmp_path / "home"), Streams.of(replace(TOY, whole=rules)))


OF_RENTALS = Rule(EVERY_BOAT, toy_every_boat, (all_of("curated", "toy_rentals"),))


@pytest.fixture
def home(tmp_path: Path) -> Deployment:
    """Return a home with a table without months, both months landed and computed."""
    made = home_with(tmp_path, OF_RENTALS)
    land_all(made.settings)
    bring_up_to_date(made)
    return made


def rows(home: Deployment, *, live: bool = False) -> list[tuple[Any, ...]]:
    found = export.read(
        home,
        "toy_every_boat",
        None,
        tenant=None,
        live=live,
        as_of=None,
        say=lambda _: None,
        open_evidence=open_evidence,
    )
    return [(boat, f"{first:%Y-%m}", rentals) for boat, first, rentals in found.itertuples(index=False)]


def test_it_holds_all_months_as_published_and_in_the_warehouse(home: Deployment) -> None:
    # B-1 was rented twice in January and once in February, B-2 once in January.
    expected = [("B-1", "2025-01", 3), ("B-2", "2025-01", 1)]
    assert rows(home) == expected
    assert rows(home, live=True) == expected


def test_it_is_stale_when_a_month_of_what_it_reads_has_other_rows_and_not_before(home: Deployment) -> None:
    (stream,) = home.streams
    assert whole_tables.stale_rules(home.settings, stream) == []
    assert whole_tables.state_of(home.settings, stream) == ""
    put(home.settings, "20250311T000000Z", [rental("2025-02", "R-9", "B-3", "10.00")])
    ingestion.ingest(home.settings, stream)
    # February is not computed yet, so nothing that the table reads has changed.
    assert whole_tables.stale_rules(home.settings, stream) == []
    bring_up_to_date(home)
    assert rows(home) == [("B-1", "2025-01", 3), ("B-2", "2025-01", 1), ("B-3", "2025-02", 1)]


def test_equal_content_keeps_the_published_file(home: Deployment) -> None:
    file = publish.directory_of(home.settings, EVERY_BOAT, None) / "data.parquet"
    before = file.stat().st_mtime_ns
    # A correction of the amount alone: the rentals of each boat stay as they are.
    put(home.settings, "20250311T000000Z", [rental("2025-02", "R-4", "B-1", "121.00", "121.00")])
    bring_up_to_date(home)
    assert file.stat().st_mtime_ns == before
    assert whole_tables.stale_rules(home.settings, *home.streams) == []


def test_a_published_file_that_is_gone_is_published_again(home: Deployment) -> None:
    (publish.directory_of(home.settings, EVERY_BOAT, None) / "data.parquet").unlink()
    assert whole_tables.stale_rules(home.settings, *home.streams) == [OF_RENTALS]
    bring_up_to_date(home)
    assert len(rows(home)) == 2


def test_of_what_was_landed_a_batch_that_matters_to_no_month_counts_too(tmp_path: Path) -> None:
    landed = Rule(EVERY_BOAT, toy_every_boat, (all_of("raw", "toy_rentals"),))
    home = home_with(tmp_path, landed)
    land_all(home.settings)
    bring_up_to_date(home)
    (stream,) = home.streams
    assert whole_tables.stale_rules(home.settings, stream) == []
    put(home.settings, "20250312T000000Z", [rental("2025-02", "R-4", "B-1", "120.00", "120.00") | {"service_month": "2019-01"}])
    ingestion.ingest(home.settings, stream)
    assert whole_tables.stale_rules(home.settings, stream) == [landed]


def test_rows_that_do_not_fit_leave_what_stood_there(home: Deployment) -> None:
    def twice(month: date, settings: Any) -> Query:
        return Query("select boat_id, month as first_rented, 1::bigint as rentals from curated.toy_rentals")

    (stream,) = home.streams
    with pytest.raises(RevenueIntegrityError, match=r"^mart\.toy_every_boat: the key \(boat_id\) stands more than once"):
        whole_tables.make(replace(OF_RENTALS, function=twice), stream, home.settings)
    assert rows(home) == rows(home, live=True) == [("B-1", "2025-01", 3), ("B-2", "2025-01", 1)]


def test_a_past_world_has_it_too_and_publishes_none(tmp_path: Path) -> None:
    home = home_with(tmp_path, OF_RENTALS)
    land_all(home.settings)
    past_world.compute(home, BETWEEN, None, only=None, say=lambda _: None)
    found = export.read(
        home,
        "toy_every_boat",
        None,
        tenant=None,
        live=False,
        as_of=BETWEEN,
        say=lambda _: None,
        open_evidence=open_evidence,
    )
    assert found["rentals"].tolist() == [2, 1]
    assert not (home.settings.published_path / "toy_every_boat").exists()


def test_its_published_file_is_accounted_for(home: Deployment) -> None:
    assert list(accounting.unaccounted(home)) == []
    gone = home_with(home.settings.home.parent)
    assert [finding for finding in accounting.unaccounted(gone) if "toy_every_boat" in str(finding)]
