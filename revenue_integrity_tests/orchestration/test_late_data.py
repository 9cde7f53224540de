"""The late-data sensor: that it asks Dagster for what is to be asked for (``computing.late_data``), and what counts as busy."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from revenue_integrity import clock
from revenue_integrity.computing.late_data import Memory, Request
from revenue_integrity.computing.publication_tables import publication_table
from revenue_integrity.desk.alerts import events, outbox
from revenue_integrity.landing.datasets import batches_table
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import PROCESS_TAG, open_instance
from revenue_integrity.orchestration.jobs import MONTH_JOB, QUIET
from revenue_integrity.orchestration.late_data import BATCHES_TAG, WHY_TAG, run_request
from revenue_integrity.orchestration.runs_under_way import PARTITION_TAG, at_work, busy_months, reading_streams
from revenue_integrity_tests.computing.test_late_data import NOON, post
from revenue_integrity_tests.desk.huts import HUTS
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.toy.schemas import TOY_BOATS
from revenue_integrity_tests.toy_home import beside, land_all, toy_deployment
from revenue_integrity_tests.without_dagster import bring_up_to_date


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_busy_are_the_months_of_runs_that_are_to_come_or_going_on(tmp_path: Path, status: dg.DagsterRunStatus) -> None:
    with open_instance(home_settings(tmp_path)) as instance:
        create_run_for_test(instance, status=status, tags={PARTITION_TAG: "2025-04"})
        over = status is dg.DagsterRunStatus.SUCCESS
        assert busy_months(instance, ["a", "b"]) == (set() if over else {("a", "2025-04"), ("b", "2025-04")})
        assert reading_streams(instance, ["a"]) == (set() if over else {"a"}), "a run of everything reads what was landed, too"


def test_a_run_of_some_tables_keeps_its_stream_busy_alone_and_reads_where_it_says_so(tmp_path: Path) -> None:
    with open_instance(home_settings(tmp_path)) as instance:
        for stream, table, month in (("a", "batches", "2025-04"), ("b", "rows", "2025-05")):
            chosen = frozenset({dg.AssetKey([stream, "raw", table])})
            create_run_for_test(instance, tags={PARTITION_TAG: month}, asset_selection=chosen)
        assert busy_months(instance, ["a", "b"]) == {("a", "2025-04"), ("b", "2025-05")}
        assert reading_streams(instance, ["a", "b"]) == {"a"}


def test_at_work_are_runs_with_a_process_that_is_not_ours(tmp_path: Path) -> None:
    with open_instance(home_settings(tmp_path)) as instance:
        create_run_for_test(instance, status=dg.DagsterRunStatus.NOT_STARTED, tags={PARTITION_TAG: "2025-04"})
        assert at_work(instance, "a", "2025-04", but_for="me") == [], "a queue of a daemon that was stopped hinders nobody"
        tags = {PARTITION_TAG: "2025-04", PROCESS_TAG: "other:1:1"}
        run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED, tags=tags)
        assert [each.run_id for each in at_work(instance, "a", "2025-04", but_for="me")] == [run.run_id]
        assert at_work(instance, "a", "2025-04", but_for="other:1:1") == []
        assert at_work(instance, "a", "2025-05", but_for="me") == []


def test_reading_asks_for_the_batches_alone_and_a_month_for_what_is_stale_and_its_pack(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home", books={"fleet": {"streams": ["toy"]}})
    batches = tuple(f"toy/rentals/2025060{day}T000000Z" for day in range(1, 8))
    reading = run_request(
        home,
        Request("toy/landing:1", "toy", date(2025, 2, 1), "7 new batches", batches, (batches_table("toy"),), reads_only=True),
    )
    assert (reading.run_key, reading.partition_key, reading.job_name) == ("toy/landing:1", "2025-02", "month")
    assert reading.asset_selection == [dg.AssetKey(["toy", "raw", "batches"])]
    assert reading.tags == {WHY_TAG: "7 new batches", BATCHES_TAG: f"{', '.join(batches[:5])} and 2 more"}
    tables = (TOY_BOATS, publication_table("toy"))
    month = run_request(home, Request("toy@2025-01:2", "toy", date(2025, 1, 1), "code changed", (), tables))
    assert (month.partition_key, month.tags) == ("2025-01", {WHY_TAG: "code changed"})
    # What the daemon starts prints no event on its terminal.
    job = build_definitions(home).resolve_job_def(MONTH_JOB)
    assert dg.validate_run_config(job, month.run_config)["loggers"]["console"]["config"]["log_level"] == "CRITICAL"
    assert month.asset_selection is not None
    assert [each.to_user_string() for each in month.asset_selection] == [
        "toy/mart/toy_boats",
        "toy/close/published",
        "fleet/close/pack",
    ]


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


def test_a_stream_without_data_makes_no_run_red_neither_of_the_sensor_nor_of_the_whole_month(tmp_path: Path) -> None:
    home = beside(tmp_path / "home", HUTS)
    land_all(home.settings)
    definitions = build_definitions(home)
    sensor, job = definitions.resolve_sensor_def("late_data"), definitions.resolve_job_def(MONTH_JOB)
    cursor, asked = None, []
    with open_instance(home.settings) as instance, clock.held_at(NOON):
        for _ in range(6):
            tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=definitions, cursor=cursor))
            cursor = tick.cursor
            for request in tick.run_requests or ():
                asked += request.asset_selection or ()
                done = job.execute_in_process(
                    instance=instance,
                    partition_key=request.partition_key,
                    asset_selection=request.asset_selection,
                    run_config=request.run_config,
                    raise_on_error=False,
                )
                assert done.success, [str(each.step_failure_data.error) for each in done.get_step_failure_events()]
        assert asked
        assert {key.path[0] for key in asked} == {"toy"}
        # Who materializes everything in the UI runs the tables of the stream without data, too.
        whole = job.execute_in_process(instance=instance, partition_key="2025-01", run_config=QUIET, raise_on_error=False)
        assert whole.success, [str(each.step_failure_data.error) for each in whole.get_step_failure_events()]


def test_what_is_given_up_becomes_an_alert(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path / "home")
    land_all(home.settings)
    bring_up_to_date(home)
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
