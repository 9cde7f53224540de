"""A past world: what had arrived by an instant, computed beside the home, which stays as it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from revenue_integrity.computing import past_world
from revenue_integrity.errors import UsageError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.evidence import open_evidence
from revenue_integrity.serving import export
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, land_all, put, rental, toy_deployment

BETWEEN = datetime(2025, 2, 28, tzinfo=UTC)
"""After the file of January (2025-02-10) and before that of February (2025-03-10)."""


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """Return what a query of a warehouse gives."""
    with database.connect(settings) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def home(tmp_path: Path) -> Deployment:
    """Return a home with both months landed."""
    made = toy_deployment(tmp_path / "home")
    land_all(made.settings)
    return made


def compute(home: Deployment, say: Callable[[str], None] = lambda _: None) -> Settings:
    """Compute the world between the two files."""
    return past_world.compute(home, BETWEEN, None, only=None, say=say)


def test_a_past_world_holds_what_had_arrived_by_then(home: Deployment) -> None:
    world = compute(home)
    # January alone had arrived: 100.00 and 50.00 of the first boat, 70.00 of the second.
    assert rows(world, "select month, boat_id, due_cents from mart.toy_boats order by all") == [
        (JANUARY, "B-1", 15_000),
        (JANUARY, "B-2", 7_000),
    ]
    assert world.home.is_relative_to(home.settings.home)


def test_nothing_of_a_past_world_is_published_and_the_home_is_not_touched(home: Deployment) -> None:
    world = compute(home)
    assert not world.published_path.exists()
    assert not home.settings.warehouse_path.exists()
    assert not home.settings.dagster_path.exists()


def test_what_is_there_of_a_past_world_is_not_computed_again(home: Deployment) -> None:
    world = compute(home)
    at = "select table_name, computed_at from meta.partitions where not starts_with(table_name, 'raw.') order by all"
    before = rows(world, at)
    assert before
    assert compute(home) == world
    assert rows(world, at) == before


def test_a_batch_that_has_changed_stops_its_months_and_no_other(home: Deployment) -> None:
    late = put(home.settings, "20250220T000000Z", [rental("2025-02", "R-9", "B-2", "30.00")])
    compute(home)
    (file,) = (home.settings.landing_path / late).glob("*.csv")
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    told: list[str] = []
    world = compute(home, told.append)
    assert told[-1].startswith("failed:\n  2025-02 batch toy/rentals/20250220T000000Z has changed: digest ")
    assert "2025-01" not in told[-1]
    assert rows(world, f"select count(*) from mart.toy_boats where month = '{FEBRUARY}'") == [(1,)], "what stood there stays"


def test_a_past_world_of_a_stream_that_there_is_not_is_refused(home: Deployment) -> None:
    with pytest.raises(UsageError, match="there is no stream 'cloud'"):
        past_world.compute(home, BETWEEN, None, only="cloud", say=lambda _: None)


def test_an_export_reads_a_past_world(home: Deployment) -> None:
    compute(home)
    found = export.read(
        home, "toy_boats", None, tenant=None, live=False, as_of=BETWEEN, say=lambda _: None, open_evidence=open_evidence
    )
    assert found["due_cents"].tolist() == [15_000, 7_000]
