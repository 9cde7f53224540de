"""Tables without months in Dagster: assets without partitions, made by `run` and asked for by their sensor."""

from pathlib import Path

import dagster as dg

from revenue_integrity import clock
from revenue_integrity.computing import ingestion, whole_tables
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.jobs import MONTH_JOB, WHOLE_JOB
from revenue_integrity_tests.computing.test_late_data import NOON
from revenue_integrity_tests.computing.test_whole_tables import EVERY_BOAT, OF_RENTALS, home_with, rows
from revenue_integrity_tests.toy_home import land_all, put, rental, toy_deployment
from revenue_integrity_tests.without_dagster import bring_up_to_date

KEY = dg.AssetKey(EVERY_BOAT.asset_key)


def test_a_run_makes_them_after_the_months_and_again_only_when_what_they_read_has_changed(tmp_path: Path) -> None:
    home = home_with(tmp_path, OF_RENTALS)
    settings = home.settings
    land_all(settings)
    with clock.held_at(NOON):
        assert runner.run(home, settings.months, say=lambda _: None).failures == []
        assert rows(home) == [("B-1", "2025-01", 3), ("B-2", "2025-01", 1)]
        assert runner.run(home, settings.months, say=lambda _: None).runs == 0
        with open_instance(settings) as instance:
            found = instance.get_latest_materialization_event(KEY)
            assert found is not None
            assert found.asset_materialization is not None
            assert found.asset_materialization.partition is None
            assert found.asset_materialization.metadata["Rows"] == dg.IntMetadataValue(2)
        # Somebody asks for the one asset, as the UI or `run --select` does.
        asked = runner.run(home, settings.months, select="key:toy/mart/toy_every_boat", say=lambda _: None)
        assert (asked.failures, asked.runs) == ([], 1)


def test_their_sensor_asks_once_for_a_state_and_three_times_where_it_fails(tmp_path: Path) -> None:
    home = home_with(tmp_path, OF_RENTALS)
    settings = home.settings
    land_all(settings)
    bring_up_to_date(home)
    definitions = build_definitions(home)
    sensor, job = definitions.resolve_sensor_def("whole_tables"), definitions.resolve_job_def(WHOLE_JOB)
    (stream,) = home.streams

    def tick(cursor: str | None) -> dg.SensorResult | object:
        return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=definitions, cursor=cursor))

    with open_instance(settings) as instance, clock.held_at(NOON):
        quiet = tick(None)
        assert not quiet.run_requests
        put(settings, "20250311T000000Z", [rental("2025-02", "R-9", "B-3", "10.00")])
        # What is not read yet waits: the months come first.
        assert not tick(quiet.cursor).run_requests
        ingestion.ingest(settings, stream)
        assert whole_tables.stale_rules(settings, stream) == []
        bring_up_to_date(home_with(tmp_path))
        cursor, keys = quiet.cursor, []
        for _ in range(5):
            asked = tick(cursor)
            cursor = asked.cursor
            keys += [request.run_key for request in asked.run_requests or ()]
        assert len(keys) == len(set(keys)) == 3
        done = job.execute_in_process(instance=instance, asset_selection=[KEY])
        assert done.success
        assert rows(home)[-1] == ("B-3", "2025-02", 1)
        assert not tick(cursor).run_requests


def test_the_job_of_a_month_leaves_them_out_and_a_home_without_such_tables_has_no_job_for_them(tmp_path: Path) -> None:
    definitions = build_definitions(home_with(tmp_path, OF_RENTALS))
    assert KEY not in definitions.resolve_job_def(MONTH_JOB).asset_layer.executable_asset_keys
    without = build_definitions(toy_deployment(tmp_path / "other"))
    assert WHOLE_JOB not in {job.name for job in without.resolve_all_job_defs()}
