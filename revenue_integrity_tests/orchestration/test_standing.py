"""What keeps runs from going on by themselves is told: stopped sensors, a pool without slots, a daemon that is not there."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

from revenue_integrity import clock
from revenue_integrity.orchestration.instance import POOL, open_instance
from revenue_integrity.orchestration.reloading import ui_session_file
from revenue_integrity.orchestration.standing import troubles
from revenue_integrity.settings import Settings

REPOSITORY = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="toy"), location_name="toy"), "toy"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a home of the test."""
    return Settings(home=tmp_path)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Return the instance of the home."""
    with open_instance(settings) as opened:
        yield opened


def _found(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    return [each.found for each in troubles(instance, settings)]


def test_a_home_that_nobody_watches_has_no_trouble(instance: dg.DagsterInstance, settings: Settings) -> None:
    assert _found(instance, settings) == []


def test_a_pool_without_slots_is_told(instance: dg.DagsterInstance, settings: Settings) -> None:
    instance.event_log_storage.set_concurrency_slots(POOL, 0)
    assert _found(instance, settings) == ["the pool duckdb has no slot: every run waits"]
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    assert _found(instance, settings) == []


def test_a_daemon_is_missed_where_runs_are_queued_or_a_ui_is_up(instance: dg.DagsterInstance, settings: Settings) -> None:
    ui_session_file(settings).write_text("{}")
    assert _found(instance, settings) == ["no daemon is there (never seen)"]
    ui_session_file(settings).unlink()
    job = dg.JobDefinition(name="month", graph_def=dg.GraphDefinition(name="month"))
    origin = RemoteJobOrigin(REPOSITORY, job.name)
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=origin)
    assert _found(instance, settings) == ["no daemon is there (never seen), 1 runs are queued"]


@pytest.mark.parametrize(("minutes", "is_missed"), [(1, False), (4, False), (6, True), (90, True)])
def test_a_daemon_that_was_killed_is_missed_within_minutes(
    instance: dg.DagsterInstance, settings: Settings, minutes: int, is_missed: bool
) -> None:
    ui_session_file(settings).touch()
    heard = clock.now().timestamp() - 60 * minutes
    for kind in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(DaemonHeartbeat(heard, kind, "daemon"))
    found = _found(instance, settings)
    assert bool(found) == is_missed
    assert not found or found[0].startswith("no daemon is there (last seen 2")


def test_a_stopped_sensor_is_told_by_its_name(instance: dg.DagsterInstance, settings: Settings) -> None:
    @dg.sensor(job_name="month", name="late_data", default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor() -> None:
        """Ask for nothing."""

    origin = RemoteInstigatorOrigin(REPOSITORY, sensor.name)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED))
    assert _found(instance, settings) == ["somebody stopped late_data"]
