"""Old runs are taken away, but for those on which a month's state or a signature rests."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from revenue_integrity import clock
from revenue_integrity.orchestration.instance import configure, open_instance
from revenue_integrity.orchestration.retention import runs_to_keep, take_away_old
from revenue_integrity.settings import Settings
from revenue_integrity_tests.toy_home import toy_deployment

MONTHS = dg.StaticPartitionsDefinition(["2025-01", "2025-02"])


@dg.asset(partitions_def=MONTHS)
def rentals() -> None:
    """Make nothing."""


@dg.asset(partitions_def=MONTHS)
def boats() -> None:
    """Make nothing, beside it."""


KEYS = [rentals.key, boats.key]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Return the instance of a home."""
    with open_instance(Settings(home=tmp_path)) as opened:
        yield opened


def run(instance: dg.DagsterInstance, month: str, *assets: dg.AssetsDefinition) -> str:
    """Run assets of a month and return the id of the run."""
    return dg.materialize([*assets], partition_key=month, instance=instance).run_id


def test_the_latest_run_of_each_asset_and_month_stays_and_so_does_what_was_signed(instance: dg.DagsterInstance) -> None:
    signed_on = run(instance, "2025-01", rentals, boats)
    at = datetime.now(UTC)
    between = run(instance, "2025-01", rentals)
    latest = run(instance, "2025-01", rentals)
    other = run(instance, "2025-02", rentals, boats)
    labels = ["2025-01", "2025-02"]
    # The first run is the latest of the boats of January, too.
    assert runs_to_keep(instance, KEYS, [], labels, {}) == {signed_on, latest, other}
    assert runs_to_keep(instance, [rentals.key], [], labels, {}) == {latest, other}
    assert runs_to_keep(instance, [rentals.key], [], labels, {"2025-01": [at]}) == {signed_on, latest, other}
    assert between not in runs_to_keep(instance, KEYS, [], labels, {"2025-01": [at]})


def test_what_is_older_than_the_settings_say_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path, run_days=30)
    with open_instance(home.settings) as instance:
        ids = [run(instance, "2025-01", rentals) for _ in range(3)]
        assert take_away_old(instance, home) == []
        with clock.held_at(datetime.now(UTC) + timedelta(days=31)):
            assert take_away_old(instance, home) == ids[:2]
            assert take_away_old(instance, home) == []
        assert [each.run_id for each in instance.get_runs()] == ids[2:]
        assert instance.get_latest_materialization_event(rentals.key) is not None


def test_ticks_of_a_new_home_have_an_age(tmp_path: Path) -> None:
    written = yaml.safe_load((configure(Settings(home=tmp_path, tick_days=3)) / "dagster.yaml").read_text())
    assert written["retention"]["sensor"] == {"purge_after_days": {"skipped": 3, "success": 3, "failure": 3}}
