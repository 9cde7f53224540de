"""Old runs are taken away, but for those on which a month's state or a signature rests."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, TickData, TickStatus

from revenue_integrity import clock
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.retention import runs_to_keep, take_away_old, take_away_prints, take_away_ticks
from revenue_integrity.orchestration.seals import Seals
from revenue_integrity.settings import Settings
from revenue_integrity_tests.toy_home import toy_deployment

MONTHS = dg.StaticPartitionsDefinition(["2025-01", "2025-02"])

SEALS = Seals(b"", lambda _, month: "")


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
    assert runs_to_keep(instance, KEYS, [], labels, {}, SEALS) == {signed_on, latest, other}
    assert runs_to_keep(instance, [rentals.key], [], labels, {}, SEALS) == {latest, other}
    assert runs_to_keep(instance, [rentals.key], [], labels, {"2025-01": [at]}, SEALS) == {signed_on, latest, other}
    assert between not in runs_to_keep(instance, KEYS, [], labels, {"2025-01": [at]}, SEALS)


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


def test_what_runs_printed_has_an_age_also_where_the_run_stays(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path, run_days=300, compute_log_days=14)
    with open_instance(home.settings) as instance:
        printed = Path(instance.storage_directory()) / run(instance, "2025-01", rentals)
        assert printed.is_dir()
        assert take_away_prints(instance, home.settings) == 0
        with clock.held_at(datetime.now(UTC) + timedelta(days=15)):
            assert take_away_prints(instance, home.settings) == 1
            assert take_away_prints(instance, home.settings) == 0
        assert not printed.exists()
        assert [each.run_id for each in instance.get_runs()] == [printed.name]


def test_ticks_have_an_age_also_in_a_home_whose_configuration_says_none(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path, tick_days=3)
    directory = home.settings.dagster_path
    directory.mkdir(parents=True)
    # As a release before there was an age, or an operator, wrote it.
    (directory / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    state = InstigatorState(
        RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repository"), "late_data"),
        InstigatorType.SENSOR,
        InstigatorStatus.DECLARED_IN_CODE,
    )
    of_sensor = (state.instigator_origin_id, "late_data", state.instigator_type)
    now = datetime.now(UTC)
    with open_instance(home.settings) as instance:
        instance.add_instigator_state(state)
        for days in (5, 4, 2):
            at, said = (now - timedelta(days=days)).timestamp(), TickStatus.SUCCESS if days == 4 else TickStatus.SKIPPED
            instance.create_tick(TickData(*of_sensor, said, at, run_ids=[], selector_id=state.selector_id))
        take_away_ticks(instance, home.settings)
        assert [each.timestamp for each in instance.get_ticks(state.instigator_origin_id, state.selector_id)] == [at]
