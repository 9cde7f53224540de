"""Running months in a real Dagster instance: what is computed, what is not, and what a run leaves behind."""

import hashlib
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._daemon.types import DaemonHeartbeat

from revenue_integrity.computing import ingestion
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.check_results import CheckRecord, results_of_month
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.jobs import MONTH_JOB
from revenue_integrity.orchestration.runner import RunSummary
from revenue_integrity.orchestration.seals import seals_of
from revenue_integrity.orchestration.standing import has_daemon
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.catalog import PartitionRecord, read_catalog
from revenue_integrity_tests.orchestration.test_standing import REPOSITORY
from revenue_integrity_tests.processes import Program
from revenue_integrity_tests.support import APRIL, home_of
from revenue_integrity_tests.toy.sources import RENTALS
from revenue_integrity_tests.toy.stream import TOY
from revenue_integrity_tests.toy_home import put, rental, toy_deployment

RUN_ALL = """
import sys
from pathlib import Path
from revenue_integrity.orchestration import runner
from revenue_integrity_tests.toy_home import toy_deployment
home = toy_deployment(Path(sys.argv[1]))
print(runner.run(home, home.settings.months, everything=True, say=print).sentence)
"""
"""Runs everything in a home of the toy, for a process of its own."""


def _deployment(home: Settings | Deployment) -> Deployment:
    return home if isinstance(home, Deployment) else home_of(home)


def run(home: Settings | Deployment, **more: Any) -> RunSummary:
    """Run all months of a home."""
    deployment = _deployment(home)
    return runner.run(deployment, deployment.settings.months, say=lambda _: None, **more)


def checks(home: Settings | Deployment, month: str = "2025-04") -> dict[tuple[str, str], CheckRecord]:
    """Return the latest results of a month by table and name."""
    deployment = _deployment(home)
    graph = build_definitions(deployment).resolve_asset_graph()
    # What has never delivered is not run: the golden home knows one stream, that of the toy has no other.
    ran = {COLOCATION.name, TOY.name}
    keys = sorted(key for key in graph.asset_check_keys if key.asset_key.path[0] in ran)
    specs = [graph.get_check_spec(key) for key in keys]
    with open_instance(deployment.settings) as instance:
        return {(each.table, each.name): each for each in results_of_month(instance, specs, month, seals_of(deployment.settings))}


def records(home: Settings | Deployment) -> dict[str, PartitionRecord]:
    """Return all records of partitions."""
    return dict(read_catalog(_deployment(home).settings).partitions)


def hashes(home: Settings | Deployment) -> dict[str, str]:
    """Return what every partition holds."""
    return {name: record.content_hash for name, record in records(home).items()}


def recomputed(before: Mapping[str, PartitionRecord], after: Mapping[str, PartitionRecord]) -> set[str]:
    """Return the months of computed tables that were computed since, or are new."""
    own = (name for name in after if not name.startswith("raw."))
    return {name for name in own if name not in before or after[name].computed_at != before[name].computed_at}


def published_bytes(home: Settings | Deployment) -> dict[str, str]:
    """Return a digest of every published file of a month, except the checks' results: they are published whatever they say."""
    published = _deployment(home).settings.published_path
    digests = {
        str(file.relative_to(published)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(published.glob("*/month=*/data.parquet"))
    }
    return {name: digest for name, digest in digests.items() if not name.split("/")[0].endswith("checks")}


def with_settings(home: Deployment, **values: Any) -> Deployment:
    """Return a home of the toy with other settings."""
    return toy_deployment(home.settings.home, **values)


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_every_table_is_materialized_recorded_and_published(golden_home: Settings) -> None:
    rules = COLOCATION.rules
    assert {f"{rule.table.qualified}@2025-04" for rule in rules} <= set(records(golden_home))
    closed = publish.closed_hashes(golden_home, "colocation", APRIL)
    assert closed == {rule.table.name: hashes(golden_home)[f"{rule.table.qualified}@2025-04"] for rule in rules}
    assert publish.read_together(golden_home, "colocation", APRIL, closed).keys() == closed.keys()


def test_every_table_on_record_in_dagster_has_its_rows_and_its_hash(golden_home: Settings) -> None:
    known = records(golden_home)
    with open_instance(golden_home) as instance:
        for rule in COLOCATION.rules:
            event = instance.get_latest_materialization_event(dg.AssetKey(rule.table.asset_key))
            assert event is not None
            assert event.asset_materialization is not None
            assert event.asset_materialization.partition == "2025-04"
            told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
            record = known[f"{rule.table.qualified}@2025-04"]
            assert told["dagster/partition_row_count"] == record.rows
            assert told["content_hash"] == record.content_hash
            assert (event.asset_materialization.tags or {})["dagster/data_version"] == record.content_hash


def test_every_check_is_recorded_for_the_month_and_for_no_other(golden_home: Settings) -> None:
    found = checks(golden_home)
    stands = {name: each.state for name, each in found.items() if each.state not in ("passed", "failed")}
    assert stands == {}
    assert all(each.holds for each in found.values() if each.gate in ("write", "publish"))
    assert found["batches", "rows_are_conserved"].figures["rows_quarantined"] == 0
    assert {each.state for each in checks(golden_home, "2025-03").values()} == {"missing"}


def test_months_run_from_the_ui_and_from_the_command_meet_in_one_instance(golden_home: Settings) -> None:
    with open_instance(golden_home) as instance:
        runs = instance.get_runs()
        assert {each.job_name for each in runs} == {"month"}
        assert {each.status for each in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert {each.tags["dagster/partition"] for each in runs} == {"2025-04"}
        assert all(each.tags["revenue_integrity/why"] for each in runs)


def test_a_second_run_starts_nothing_and_changes_no_hash(toy: Deployment) -> None:
    before, files = records(toy), published_bytes(toy)
    summary = run(toy)
    assert (summary.runs, summary.failures) == (0, [])
    assert summary.sentence == "Nothing is stale; nothing was recomputed."
    assert (records(toy), published_bytes(toy)) == (before, files)


def test_all_computes_nothing_that_is_unchanged_but_judges_again(toy: Deployment) -> None:
    before, files = records(toy), published_bytes(toy)
    with open_instance(toy.settings) as instance:
        events = instance.get_latest_materialization_event(dg.AssetKey(["toy", "mart", "toy_boats"]))
    summary = run(toy, everything=True)
    assert summary.runs > 0
    assert summary.failures == []
    own = {name: record for name, record in records(toy).items() if not name.startswith("raw.")}
    assert own == {name: record for name, record in before.items() if not name.startswith("raw.")}, "computed_at included"
    assert published_bytes(toy) == files
    with open_instance(toy.settings) as instance:
        again = instance.get_latest_materialization_event(dg.AssetKey(["toy", "mart", "toy_boats"]))
    assert events is not None
    assert again is not None
    assert again.asset_materialization is not None
    assert again.timestamp > events.timestamp
    assert again.asset_materialization.metadata["state"].value == "unchanged"
    assert all(each.holds for each in checks(toy, "2025-02").values() if each.gate in ("write", "publish"))


def test_a_setting_touches_only_what_rests_on_it(toy: Deployment) -> None:
    before = records(toy)
    changed = with_settings(toy, tolerance_cents=777)
    assert run(changed).failures == []
    results = {f"recon.toy_recon_results@{month}" for month in ("2025-01", "2025-02")}
    summaries = {name.replace("results", "summary") for name in results}
    assert results <= recomputed(before, records(changed)) <= results | summaries
    assert run(changed).runs == 0


def test_equal_results_stop_the_cascade(toy: Deployment) -> None:
    before = records(toy)
    # Everything was booked on the 2nd: with the cutoff on the sixth business day the same rentals come out again.
    changed = with_settings(toy, cutoff_business_day=6)
    assert run(changed).failures == []
    after = records(changed)
    assert {name for name in recomputed(before, after) if name.startswith(("curated", "mart"))} == {
        "curated.toy_rentals@2025-01",
        "curated.toy_rentals@2025-02",
    }
    assert hashes(changed) == {name: record.content_hash for name, record in before.items()}


def test_a_selection_is_all_that_runs(toy: Deployment) -> None:
    before = records(toy)
    changed = with_settings(toy, cutoff_business_day=6)
    summary = run(changed, select='key:"toy/curated/toy_rentals"')
    assert (summary.runs, summary.failures) == (2, [])
    assert recomputed(before, records(changed)) == {"curated.toy_rentals@2025-01", "curated.toy_rentals@2025-02"}


def test_a_selection_within_a_stream_names_its_assets_alone(toy: Deployment) -> None:
    before = records(toy)
    both = Deployment(toy.settings, Streams.of(*toy.streams, Stream("twin", (replace(RENTALS, stream="twin"),), (), ())))
    with pytest.raises(UsageError, match="names no asset"):
        run(both, stream="twin", select='key:"toy/curated/toy_rentals"')
    assert records(toy) == before
    summary = run(both, stream="toy", select='key:"toy/curated/toy_rentals"')
    assert (summary.runs, summary.failures) == (2, [])


def test_late_data_touch_exactly_their_month(toy: Deployment) -> None:
    wide = with_settings(toy, last_month="2025-03")
    assert run(wide).failures == []
    before, files = records(wide), published_bytes(wide)
    # A rental of March touches nothing but March: no rule of another month reads it. A late booking of January touches January.
    put(wide.settings, "20250410T000000Z", [rental("2025-01", "R-5", "B-2", "1.00", "1.00", service_month="2025-03")])
    put(wide.settings, "20250411T000000Z", [rental("2025-01", "R-6", "B-2", "3.00", "3.00", booked_at="2025-04-01T00:00:00Z")])
    summary = run(wide)
    assert summary.failures == []
    after = records(wide)
    new = {name for name in after if name not in before or after[name].content_hash != before[name].content_hash}
    touched = {
        f"{table}@{month}"
        for table in ("curated.toy_rentals", "mart.toy_boats", "mart.toy_month")
        for month in ("2025-01", "2025-03")
    }
    assert {name for name in new if name.startswith(("curated.", "mart."))} == touched
    changed = {name for name, digest in published_bytes(wide).items() if files.get(name) != digest}
    assert {name for name in changed if "month=2025-02" in name} == set()
    assert {"toy_boats/month=2025-01/data.parquet", "toy_boats/month=2025-03/data.parquet"} <= changed
    assert run(wide).runs == 0


def test_batches_that_cannot_be_read_are_tried_once_a_command(toy: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    before = published_bytes(toy)
    late = put(toy.settings, "20250320T000000Z", [rental("2025-02", "R-7", "B-2", "1.00", "1.00")])
    tried = []

    def full(*_: object, **__: object) -> None:
        tried.append("read")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as faulty:
        faulty.setattr(ingestion.landing, "ingest", full)
        failed = run(toy, everything=True)
    assert len(tried) == 1
    assert len(failed.failures) == 1
    assert "No space left on device" in failed.failures[0]
    assert published_bytes(toy) == before
    assert late in ingestion.pending(toy.settings, TOY)
    assert run(toy).failures == []
    assert ingestion.pending(toy.settings, TOY) == []


def test_a_month_that_is_stale_and_whose_checks_are_of_an_earlier_release_is_published_by_one_command(toy: Deployment) -> None:
    """Run alone, the stale table would be refused for the checks of all others, and so would the month until somebody noticed."""
    put(toy.settings, "20250411T000000Z", [rental("2025-01", "R-8", "B-2", "3.00", "3.00", booked_at="2025-04-01T00:00:00Z")])
    (toy.settings.dagster_path / "results.key").unlink()
    summary = run(toy)
    assert summary.failures == []
    assert toy.settings.months[0] in summary.months
    assert {each.state for each in checks(toy, "2025-01").values()} <= {"passed", "failed"}
    assert run(toy).runs == 0


def test_a_killed_run_of_months_that_were_not_stale_is_done_again(toy: Deployment) -> None:
    with Program(RUN_ALL, str(toy.settings.home)) as command:
        with dg.DagsterInstance.from_config(str(toy.settings.dagster_path)) as instance:
            at_work = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
            while not instance.get_runs(at_work):
                assert command.poll() is None
                time.sleep(0.02)
        command.send_signal(signal.SIGKILL)
    # Nothing that was written differs, but what its checks would say is unknown.
    summary = run(toy)
    assert summary.failures == []
    assert toy.settings.months[0] in summary.months
    assert run(toy).runs == 0


def test_what_a_daemon_will_start_is_left_to_it_and_what_a_stopped_one_left_queued_hinders_nobody(tmp_path: Path) -> None:
    home = toy_deployment(tmp_path)
    put(home.settings, "20250210T000000Z", [rental("2025-01", "R-1", "B-1", "100.00", "100.00")])
    assert run(home).runs > 0
    month = build_definitions(home).resolve_job_def(MONTH_JOB)
    with open_instance(home.settings) as instance:
        # As a backfill in the queue: its checks are on record as planned.
        instance.create_run_for_job(
            month,
            status=dg.DagsterRunStatus.QUEUED,
            tags={"dagster/partition": "2025-01"},
            asset_selection=frozenset(month.asset_layer.executable_asset_keys),
            remote_job_origin=RemoteJobOrigin(REPOSITORY, MONTH_JOB),
        )
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "QUEUED_RUN_COORDINATOR", "daemon"))
        assert has_daemon(instance)
    assert run(home).runs == 0
    with open_instance(home.settings) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 3600, "QUEUED_RUN_COORDINATOR", "daemon"))
    assert run(home).runs == 1


def test_a_clock_that_was_set_back_so_far_that_a_month_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = toy_deployment(tmp_path / "home")
    put(home.settings, "20250205T070000Z", [rental("2025-01", "R-1", "B-1", "10.00")])
    month = home.settings.months[0]
    far_away = dg.MonthlyPartitionsDefinition("1970-01", "1970-03", fmt="%Y-%m")
    monkeypatch.setattr(runner, "possible_partitions", lambda settings: far_away)
    with pytest.raises(RevenueIntegrityError, match=f"was set back to .*: {month:%Y-%m} is no month yet"):
        run(home)
