"""Reading check results per month: what is unclear does not hold. Also the contract of the one Dagster call that is no API."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

import dagster as dg
import pandas as pd
import pytest

from revenue_integrity.model.check import Control, Gate, Judgement, Standing
from revenue_integrity.orchestration import check_factory
from revenue_integrity.orchestration.check_factory import EXACT, SEAL
from revenue_integrity.orchestration.check_results import (
    CheckRecord,
    is_foreign,
    is_interrupted,
    latest,
    results_of_month,
    results_rest_on,
)
from revenue_integrity.orchestration.seals import Seals
from revenue_integrity_tests.support import SAMPLE

PARTITIONS = dg.StaticPartitionsDefinition(["2025-03", "2025-04"])
KEY = dg.AssetKey(SAMPLE.asset_key)
CONTROL = Control("Nothing is at risk.", "`sample`", "controller")
PUBLISH = check_factory.spec(SAMPLE, Standing("adds_up", Gate.PUBLISH, "It adds up.", CONTROL), PARTITIONS)
WRITE = check_factory.spec(SAMPLE, Standing("holds", Gate.WRITE, "It holds.", CONTROL), PARTITIONS)

FINGERPRINTS: dict[str, str] = {}
"""What stands of the sample's months, where a test says so."""

OURS = Seals(b"k" * 32, lambda _, month: FINGERPRINTS.get(month, ""))


@pytest.fixture(autouse=True)
def _nothing_stands() -> None:
    FINGERPRINTS.clear()


def sealed(
    month: str, name: str, passed: bool, description: str | None = None, metadata: Mapping[str, object] | None = None
) -> dg.AssetCheckResult:
    """Return a result as a run of this home yields it."""
    found = dg.AssetCheckResult(
        passed=passed, check_name=name, asset_key=KEY, description=description, metadata=dict(metadata or {})
    )
    return found._replace(metadata={**found.metadata, SEAL: OURS.of(KEY, name, month, found)})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Return an instance of its own, on SQLite like a home's."""
    with dg.DagsterInstance.local_temp() as made:
        yield made


def materialize(
    instance: dg.DagsterInstance, month: str, *, passed: bool = True, crash: bool = False, judged: bool = True
) -> dg.ExecuteInProcessResult:
    """Materialize a month with its checks, as the product's assets do."""

    @dg.asset(key=KEY, partitions_def=PARTITIONS, check_specs=[WRITE, PUBLISH])
    def sample() -> Iterator[object]:
        yield dg.MaterializeResult()
        yield sealed(month, "holds", True)
        if crash:
            raise ValueError("in the middle")
        if judged:
            yield sealed(month, "adds_up", passed, None if passed else "Do this.", {"gross_cents": 7})

    return dg.materialize([sample], instance=instance, partition_key=month, raise_on_error=False)


def adds_up(instance: dg.DagsterInstance, month: str) -> CheckRecord:
    """Return the publish check's record of a month."""
    (record,) = results_of_month(instance, [PUBLISH], month, OURS)
    return record


def test_a_check_that_was_never_evaluated_is_missing(instance: dg.DagsterInstance) -> None:
    record = adds_up(instance, "2025-03")
    assert (record.state, record.holds, record.gate) == ("missing", False, Gate.PUBLISH)


def test_a_pass_holds_for_its_month_only(instance: dg.DagsterInstance) -> None:
    assert materialize(instance, "2025-03").success
    record = adds_up(instance, "2025-03")
    assert (record.state, record.holds, dict(record.figures)) == ("passed", True, {"gross_cents": 7})
    assert adds_up(instance, "2025-04").state == "missing"


def test_the_latest_result_of_each_month_counts(instance: dg.DagsterInstance) -> None:
    """Contract of ``PartitionKeyFilter``: one month's later result neither hides nor replaces another month's."""
    materialize(instance, "2025-03", passed=False)
    materialize(instance, "2025-04", passed=True)
    assert [adds_up(instance, month).state for month in ("2025-03", "2025-04")] == ["failed", "passed"]
    materialize(instance, "2025-04", passed=False)
    materialize(instance, "2025-03", passed=True)
    assert [adds_up(instance, month).state for month in ("2025-03", "2025-04")] == ["passed", "failed"]


def test_a_failure_says_what_to_do(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03", passed=False)
    record = adds_up(instance, "2025-03")
    assert (record.state, record.next_step, record.holds) == ("failed", "Do this.", False)
    assert record.plain == {"check": "adds_up", "gate": "publish", "state": "failed", "figures": {"gross_cents": 7}}


def test_a_check_whose_run_crashed_before_it_does_not_hold_on_what_that_run_wrote(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    FINGERPRINTS["2025-03"] = "written anew"
    assert not materialize(instance, "2025-03", crash=True).success
    record = adds_up(instance, "2025-03")
    assert (record.state, record.holds) == ("planned", False)


def test_a_pass_on_an_older_table_is_outdated_until_that_stands_again(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    FINGERPRINTS["2025-04"] = "written anew"
    assert adds_up(instance, "2025-03").holds, "another month's table is no newer one"
    FINGERPRINTS["2025-03"] = "written anew"
    record = adds_up(instance, "2025-03")
    assert (record.state, record.holds) == ("outdated", False)
    assert record.next_step
    del FINGERPRINTS["2025-03"]
    assert adds_up(instance, "2025-03").holds


def report(
    instance: dg.DagsterInstance, month: str, metadata: Mapping[str, dg.MetadataValue[Any]], *, passed: bool = True
) -> None:
    """Report a result from outside, without a run, as whoever reaches the instance can."""
    evaluation = dg.AssetCheckEvaluation(
        KEY,
        "adds_up",
        passed,
        metadata,
        partition=month,
        description="Believe this.",
    )
    event = dg.DagsterEvent(dg.DagsterEventType.ASSET_CHECK_EVALUATION.value, "nobody", event_specific_data=evaluation)
    instance.report_dagster_event(event, run_id=str(uuid4()))


def reported_by_a_run(instance: dg.DagsterInstance, month: str, metadata: Mapping[str, object], *, passed: bool = True) -> None:
    """Report a result from outside, in a run of somebody else's code."""

    @dg.asset(key=KEY, partitions_def=PARTITIONS, check_specs=[PUBLISH])
    def sample() -> Iterator[object]:
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=passed, check_name="adds_up", metadata=dict(metadata), description="Believe this.")

    assert dg.materialize([sample], instance=instance, partition_key=month).success


def seal_on_record(instance: dg.DagsterInstance, month: str) -> str:
    """Return the seal of the latest result on record, as anybody reads it."""
    (newest,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([PUBLISH.key]).values()
    assert newest.event is not None
    assert newest.event.dagster_event is not None
    return str(newest.event.dagster_event.asset_check_evaluation_data.metadata[SEAL].value)


@pytest.mark.parametrize("how", [report, reported_by_a_run])
def test_what_is_reported_from_outside_is_neither_believed_nor_in_the_way(instance: dg.DagsterInstance, how: object) -> None:
    assert callable(how)
    how(instance, "2025-03", {"gross_cents": 0})
    record = adds_up(instance, "2025-03")
    assert (record.state, dict(record.figures)) == ("outdated", {}), "an invented pass holds nothing, an invented figure is none"
    assert is_foreign(instance, [PUBLISH], "2025-03", OURS)

    materialize(instance, "2025-03", passed=False)
    seal, rests_on = seal_on_record(instance, "2025-03"), results_rest_on(instance, [PUBLISH], "2025-03", OURS)
    invented: list[Mapping[str, object]] = [
        {"gross_cents": 0},
        {"gross_cents": 7, SEAL: seal},
        {"gross_cents": 0, SEAL: seal},
        {"gross_cents": 7, EXACT: {"gross_cents": "0"}, SEAL: seal},
        {SEAL: "0" * 64},
        {SEAL: ""},
    ]
    for each in invented:
        how(instance, "2025-03", each)
        record = adds_up(instance, "2025-03")
        assert (record.state, dict(record.figures), record.next_step) == ("failed", {"gross_cents": 7}, "Do this."), each
    assert not is_foreign(instance, [PUBLISH], "2025-03", OURS)
    assert rests_on <= results_rest_on(instance, [PUBLISH], "2025-03", OURS), "a run that something rests on is not taken away"


def test_a_seal_is_worth_nothing_elsewhere(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    seal = seal_on_record(instance, "2025-03")
    report(instance, "2025-04", {"gross_cents": 7, SEAL: seal})
    assert adds_up(instance, "2025-04").state == "outdated", "of another month"
    other = Seals(b"x" * 32, lambda _, month: "")
    assert results_of_month(instance, [PUBLISH], "2025-03", other)[0].state == "outdated", "of another home"
    assert results_of_month(instance, [PUBLISH], "2025-03", Seals(b"", lambda _, month: ""))[0].state == "outdated"


def test_however_much_is_reported_from_outside_ours_is_found(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    for _ in range(45):
        report(instance, "2025-03", {"gross_cents": 1}, passed=False)
    assert (adds_up(instance, "2025-03").state, is_foreign(instance, [PUBLISH], "2025-03", OURS)) == ("passed", False)


def test_a_materialization_from_outside_puts_no_result_out_of_date(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="2025-03"))
    assert adds_up(instance, "2025-03").holds


def queue(instance: dg.DagsterInstance, month: str) -> dg.DagsterRun:
    """Queue a run of the month, as a backfill or the sensor does; Dagster puts its checks on record as planned at once."""

    @dg.asset(key=KEY, partitions_def=PARTITIONS, check_specs=[WRITE, PUBLISH])
    def sample() -> Iterator[object]:
        yield dg.MaterializeResult()

    job = dg.Definitions(assets=[sample], jobs=[dg.define_asset_job("all", "*")]).resolve_job_def("all")
    return instance.create_run_for_job(job, tags={"dagster/partition": month}, asset_selection=frozenset({KEY}))


def test_a_run_that_waits_in_the_queue_says_nothing_about_what_stands(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    queue(instance, "2025-03")
    assert is_interrupted(latest(instance, [PUBLISH], "2025-03")), "it is on record as planned"
    assert adds_up(instance, "2025-03").state == "passed"
    assert materialize(instance, "2025-03", passed=False).success
    queue(instance, "2025-03")
    assert adds_up(instance, "2025-03").state == "failed"


def test_what_was_evaluated_last_counts_and_not_what_was_planned_last(instance: dg.DagsterInstance) -> None:
    @dg.asset(key=KEY, partitions_def=PARTITIONS, check_specs=[WRITE, PUBLISH])
    def sample(context: dg.AssetExecutionContext) -> Iterator[object]:
        # Planned before the run inside it, and ended after it, as two runs do that take turns.
        materialize(instance, "2025-03", passed=False)
        yield dg.MaterializeResult()
        yield sealed("2025-03", "holds", True)
        yield sealed("2025-03", "adds_up", True)

    assert dg.materialize([sample], instance=instance, partition_key="2025-03").success
    assert adds_up(instance, "2025-03").state == "passed"


def test_results_come_in_the_order_of_the_specs(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    assert [each.name for each in results_of_month(instance, [PUBLISH, WRITE], "2025-03", OURS)] == ["adds_up", "holds"]
    assert [each.name for each in results_of_month(instance, [WRITE, PUBLISH], "2025-03", OURS)] == ["holds", "adds_up"]
    assert all(each.holds for each in results_of_month(instance, [WRITE, PUBLISH], "2025-03", OURS))


def test_a_figure_that_is_no_whole_number_is_read_as_it_was_judged(instance: dg.DagsterInstance) -> None:
    # A float holds some 16 digits of it.
    cost = Decimal("123456789012345678.000000000001")

    @dg.asset(key=KEY, partitions_def=PARTITIONS, check_specs=[PUBLISH])
    def sample() -> Iterator[object]:
        yield dg.MaterializeResult()
        judged = Judgement(True, {"cost": cost, "rows": 3}, pd.DataFrame({"largest": [cost]}))
        found = check_factory.result(SAMPLE, "adds_up", Gate.PUBLISH, judged)
        yield found._replace(metadata={**found.metadata, SEAL: OURS.of(KEY, "adds_up", "2025-03", found)})

    dg.materialize([sample], instance=instance, partition_key="2025-03")
    (found,) = results_of_month(instance, [PUBLISH], "2025-03", OURS)
    assert found.figures == {"cost": "123456789012345678.000000000001", "rows": 3}
