"""The late-data sensor: that it asks Dagster for what is to be asked for (``computing.late_data``), and what counts as busy."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from revenue_integrity import clock
from revenue_integrity.computing.late_data import Memory, Request
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.late_data import BATCHES_TAG, WHY_TAG, run_request
from revenue_integrity.orchestration.runs_under_way import PARTITION_TAG, busy_months
from revenue_integrity_tests.computing.test_late_data import NOON, post, read
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.toy_home import land_all, toy_deployment


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_busy_are_the_months_of_runs_that_are_to_come_or_going_on(tmp_path: Path, status: dg.DagsterRunStatus) -> None:
    with open_instance(home_settings(tmp_path)) as instance:
        create_run_for_test(instance, status=status, tags={PARTITION_TAG: "2025-04"})
        assert busy_months(instance) == (set() if status is dg.DagsterRunStatus.SUCCESS else {"2025-04"})


def test_reading_asks_for_the_batches_alone_and_a_month_for_all_of_it() -> None:
    batches = tuple(f"toy/rentals/2025060{day}T000000Z" for day in range(1, 8))
    reading = run_request(Request("toy/landing:1", "toy", date(2025, 2, 1), "7 new batches", batches, reads_only=True))
    assert (reading.run_key, reading.partition_key, reading.job_name) == ("toy/landing:1", "2025-02", "month")
    assert reading.asset_selection == [dg.AssetKey(["toy", "raw", "batches"])]
    assert reading.tags == {WHY_TAG: "7 new batches", BATCHES_TAG: f"{', '.join(batches[:5])} and 2 more"}
    month = run_request(Request("toy@2025-01:2", "toy", date(2025, 1, 1), "code changed", ()))
    assert (month.partition_key, month.asset_selection, month.tags) == ("2025-01", None, {WHY_TAG: "code changed"})


def test_the_sensor_asks_through_dagster_and_keeps_what_it_asked(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    land_all(home.settings)
    definitions = build_definitions(home)
    sensor = definitions.resolve_sensor_def("late_data")
    with open_instance(home.settings) as instance, clock.held_at(NOON):
        context = dg.build_sensor_context(instance=instance, definitions=definitions)
        first = sensor.evaluate_tick(context)
        assert first.run_requests is not None
        assert [each.partition_key for each in first.run_requests] == ["2025-02"]
        assert first.cursor is not None
        assert Memory.read(first.cursor).number == 1
        again = dg.build_sensor_context(instance=instance, definitions=definitions, cursor=first.cursor)
        second = sensor.evaluate_tick(again)
        assert not second.run_requests
        assert second.skip_message is not None
        assert "Nothing is stale that is not running" in second.skip_message


def test_what_is_given_up_becomes_an_alert(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    land_all(home.settings)
    read(home)
    post(home, "10.00", "20250602T000000Z")
    definitions, cursor = build_definitions(home), ""
    sensor = definitions.resolve_sensor_def("late_data")
    with open_instance(home.settings) as instance:
        for minute in range(6):
            with clock.held_at(datetime(2025, 7, 1, 12, minute, tzinfo=UTC)):
                context = dg.build_sensor_context(instance=instance, definitions=definitions, cursor=cursor or None)
                cursor = str(sensor.evaluate_tick(context).cursor)
    (record,) = outbox.records(home.settings)
    assert (record.event.severity, record.event.month) == (events.Severity.CRITICAL, None)
