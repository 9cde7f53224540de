"""The Dagster instance of a home, and what a killed process left in it."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster import DagsterRunStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.test_utils import create_run_for_test
from dagster._utils.concurrency import ConcurrencySlotStatus

from revenue_integrity.model.deployment import Deployment
from revenue_integrity.orchestration.event_storage import KeptEngineEventLogStorage
from revenue_integrity.orchestration.instance import (
    POOL,
    PROCESS_TAG,
    carried_over,
    clear_abandoned,
    configure,
    open_instance,
    process_tag,
)
from revenue_integrity.settings import Settings
from revenue_integrity_tests.orchestration.test_runner import RUN_ALL, run
from revenue_integrity_tests.processes import finished
from revenue_integrity_tests.support import home_settings
from revenue_integrity_tests.toy_home import put, rental


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Return the instance of an empty home."""
    with open_instance(home_settings(tmp_path)) as opened:
        yield opened


def dead_process() -> str:
    """Return the tag of a process of this machine that is gone."""
    code = "from revenue_integrity.orchestration.instance import process_tag; print(process_tag())"
    return finished(code).stdout.strip()


def test_an_operators_configuration_is_left_alone(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    file = configure(settings) / "dagster.yaml"
    made = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert made["concurrency"]["pools"]["default_limit"] == 1
    assert made["telemetry"] == {"enabled": False}
    file.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    configure(settings)
    assert file.read_text(encoding="utf-8") == "telemetry:\n  enabled: false\n"


def test_what_the_release_before_wrote_is_renewed_where_nobody_touched_it(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    file = configure(settings) / "dagster.yaml"
    present = file.read_text(encoding="utf-8")
    before = yaml.safe_dump(
        {name: each for name, each in yaml.safe_load(present).items() if name != "python_logs"}, sort_keys=False
    )
    file.write_text(before, encoding="utf-8")
    configure(settings)
    assert file.read_text(encoding="utf-8") == present
    file.write_text(f"# mine\n{before}", encoding="utf-8")
    configure(settings)
    assert file.read_text(encoding="utf-8") == f"# mine\n{before}"


def test_a_run_that_somebody_starts_in_the_ui_prints_no_event_and_all_of_them_are_on_record(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    @dg.asset
    def one(context: dg.AssetExecutionContext) -> None:
        context.log.info("said by the asset")

    with open_instance(home_settings(tmp_path)) as instance:
        # As the UI starts it: without any configuration of loggers.
        ran = dg.materialize([one], instance=instance)
        kinds = {each.dagster_event.event_type_value for each in instance.all_logs(ran.run_id) if each.dagster_event}
        said = [each.user_message for each in instance.all_logs(ran.run_id) if not each.is_dagster_event]
    assert {"PIPELINE_START", "STEP_START", "ASSET_MATERIALIZATION", "STEP_SUCCESS", "PIPELINE_SUCCESS"} <= kinds
    assert said == ["said by the asset"]
    printed = capfd.readouterr()
    assert "DEBUG" not in printed.err + printed.out
    assert "RUN_START" not in printed.err + printed.out


EARLIER = """\
telemetry:
  enabled: false
# of the operator
concurrency:
  runs:
    max_concurrent_runs: 3
  pools:
    default_limit: 1
    granularity: op
run_storage:
  module: revenue_integrity.orchestration.run_storage
  class: KeptEngineRunStorage
event_log_storage:
  module: revenue_integrity.orchestration.event_storage
  class: KeptEngineEventLogStorage
compute_logs:
  module: revenue_integrity.orchestration.compute_logs
  class: ShowingComputeLogManager
run_monitoring:
  enabled: true
"""
"""As an earlier release wrote it, and somebody changed it since."""


def test_what_an_earlier_release_configured_is_carried_over_and_the_rest_stands(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    file = settings.dagster_path / "dagster.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(EARLIER, encoding="utf-8")
    with open_instance(settings) as opened:
        assert type(opened.run_storage) is SqliteRunStorage
        assert type(opened.compute_log_manager) is LocalComputeLogManager
        run = create_run_for_test(opened)
    found = file.read_text(encoding="utf-8")
    assert found == EARLIER[: EARLIER.index("run_storage")] + (
        EARLIER[EARLIER.index("event_log_storage") : EARLIER.index("compute_logs:")] + EARLIER[EARLIER.index("run_monitoring") :]
    )
    with open_instance(settings) as opened:
        assert [each.run_id for each in opened.get_runs()] == [run.run_id]
    assert file.read_text(encoding="utf-8") == found


@pytest.mark.parametrize(
    "own",
    [
        "run_storage:\n  module: dagster_postgres.run_storage\n  class: PostgresRunStorage\nrun_monitoring:\n  enabled: true\n",
        "compute_logs:\n  module: dagster.core.storage.noop_compute_log_manager\n  class: NoOpComputeLogManager\n",
        "tags:\n  compute_logs:\n    module: revenue_integrity.orchestration.compute_logs\n",
    ],
)
def test_what_is_none_of_ours_is_not_carried_over(own: str) -> None:
    assert carried_over(own) == own


@pytest.mark.parametrize("status", [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED])
def test_a_run_of_a_process_that_is_gone_is_failed(instance: dg.DagsterInstance, status: DagsterRunStatus) -> None:
    left = create_run_for_test(instance, status=status, tags={PROCESS_TAG: dead_process()})
    assert clear_abandoned(instance) == [left.run_id]
    found = instance.get_run_by_id(left.run_id)
    assert found is not None
    assert found.status is DagsterRunStatus.FAILURE
    assert clear_abandoned(instance) == []


@pytest.mark.parametrize("whose", ["mine", "daemon", "elsewhere"])
def test_a_run_that_may_still_go_on_is_left_alone(instance: dg.DagsterInstance, whose: str) -> None:
    tags = {
        "mine": {PROCESS_TAG: process_tag()},
        "daemon": {},
        "elsewhere": {PROCESS_TAG: f"not-{socket.gethostname()}:1:1"},
    }[whose]
    left = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags=tags)
    assert clear_abandoned(instance) == []
    found = instance.get_run_by_id(left.run_id)
    assert found is not None
    assert found.status is DagsterRunStatus.STARTED


def test_a_process_id_that_was_given_again_is_another_process(instance: dg.DagsterInstance) -> None:
    host, pid, started = process_tag().rsplit(":", 2)
    if not started:
        pytest.skip("this system does not tell when a process started")
    left = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: f"{host}:{pid}:{int(started) - 1}"})
    assert clear_abandoned(instance) == [left.run_id]


def test_a_slot_of_a_killed_process_is_free_again(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    left = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: dead_process()})
    storage.set_concurrency_slots(POOL, 1)
    assert storage.claim_concurrency_slot(POOL, left.run_id, "step").is_claimed
    other = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: process_tag()})
    assert not storage.claim_concurrency_slot(POOL, other.run_id, "step").is_claimed
    clear_abandoned(instance)
    assert storage.claim_concurrency_slot(POOL, other.run_id, "step").is_claimed


def test_a_run_that_is_killed_is_cleared_and_done_again(toy: Deployment) -> None:
    """Told whole: a command is killed in the middle of its run, the next one ends well and leaves nothing unfinished."""
    put(toy.settings, "20250601T000000Z", [rental("2025-02", "R-7", "B-2", "1.00", "1.00")])
    code = """
import os, signal, sys
from pathlib import Path
from revenue_integrity.orchestration import runner, table_assets
from revenue_integrity_tests.toy_home import toy_deployment
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
table_assets.judge = killed  # the table of the step is written, its checks are not
home = toy_deployment(Path(sys.argv[1]))
runner.run(home, home.settings.months, select='key:"toy/curated/toy_rentals"', say=print)
"""
    died = finished(code, str(toy.settings.home))
    assert died.returncode == -signal.SIGKILL, died.stderr
    with dg.DagsterInstance.from_config(str(toy.settings.dagster_path)) as instance:
        assert [each.status for each in instance.get_runs(limit=1)] == [DagsterRunStatus.STARTED]
    assert run(toy).failures == []
    with dg.DagsterInstance.from_config(str(toy.settings.dagster_path)) as instance:
        statuses = [each.status for each in instance.get_runs()]
        assert statuses.count(DagsterRunStatus.FAILURE) == 1
        assert set(statuses) == {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE}
    assert run(toy).runs == 0
    assert os.environ["DAGSTER_HOME"] == str(toy.settings.dagster_path)


def test_the_event_log_is_the_one_that_dagster_itself_reads(golden_home: Settings) -> None:
    with open_instance(golden_home) as opened:
        assert isinstance(opened.event_log_storage, KeptEngineEventLogStorage)
        records = opened.get_runs()
        runs = [run.run_id for run in records]
        kept = {run: [event.timestamp for event in opened.all_logs(run)] for run in runs}
        keys = opened.get_asset_keys()
    file = golden_home.dagster_path / "dagster.yaml"
    plain = yaml.safe_load(file.read_text(encoding="utf-8"))
    del plain["event_log_storage"]
    file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    with open_instance(golden_home) as opened:
        assert type(opened.event_log_storage) is SqliteEventLogStorage
        assert opened.get_runs() == records
        assert {run: [event.timestamp for event in opened.all_logs(run)] for run in runs} == kept
        assert opened.get_asset_keys() == keys
        assert len(keys) > 30


def test_events_of_a_run_whose_log_was_removed_go_into_a_new_one(instance: dg.DagsterInstance) -> None:
    run = create_run_for_test(instance)
    instance.report_engine_event("before", run)
    log = instance.event_log_storage.path_for_shard(run.run_id)  # type: ignore[attr-defined] # -- SQLite's has files
    for file in (log, f"{log}-wal", f"{log}-shm"):
        Path(file).unlink(missing_ok=True)
    assert instance.all_logs(run.run_id) == []
    instance.report_engine_event("after", run)
    assert [event.message for event in instance.all_logs(run.run_id)] == ["after"]


def test_who_watches_the_file_of_a_run_sees_every_event(instance: dg.DagsterInstance) -> None:
    run = create_run_for_test(instance)
    instance.report_engine_event("first", run)
    log = Path(instance.event_log_storage.path_for_shard(run.run_id))  # type: ignore[attr-defined] # -- SQLite's has files
    os.utime(log, (0, 0))
    instance.all_logs(run.run_id)
    assert log.stat().st_mtime == 0, "reading is no event: who watches would read for ever"
    instance.report_engine_event("second", run)
    assert log.stat().st_mtime > 0


def test_a_command_does_not_wait_for_the_step_that_waits_for_its_warehouse(toy: Deployment) -> None:
    with open_instance(toy.settings) as opened:
        # A step that the daemon started has its turn, and would open the warehouse that the command keeps open.
        other = create_run_for_test(opened, status=DagsterRunStatus.STARTED)
        opened.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        claimed = opened.event_log_storage.claim_concurrency_slot(POOL, other.run_id, "a_step")
        assert claimed.slot_status is ConcurrencySlotStatus.CLAIMED
        done = finished(RUN_ALL, str(toy.settings.home))
        assert done.returncode == 0, done.stderr
        assert "2 months computed" in done.stdout
