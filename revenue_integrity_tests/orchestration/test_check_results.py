"""Reading check results per month: what is unclear does not hold. Also the contract of the one Dagster call that is no API."""

from collections.abc import Iterator
from decimal import Decimal

import dagster as dg
import pandas as pd
import pytest

from revenue_integrity.model.check import Control, Gate, Judgement, Standing
from revenue_integrity.orchestration import check_factory
from revenue_integrity.orchestration.check_results import CheckRecord, is_interrupted, results_of_month
from revenue_integrity_tests.support import SAMPLE

PARTITIONS = dg.StaticPartitionsDefinition(["2025-03", "2025-04"])
KEY = dg.AssetKey(SAMPLE.asset_key)
CONTROL = Control("Nothing is at risk.", "`sample`", "controller")
PUBLISH = check_factory.spec(SAMPLE, Standing("adds_up", Gate.PUBLISH, "It adds up.", CONTROL), PARTITIONS)
WRITE = check_factory.spec(SAMPLE, Standing("holds", Gate.WRITE, "It holds.", CONTROL), PARTITIONS)


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
        yield dg.AssetCheckResult(passed=True, check_name="holds")
        if crash:
            raise ValueError("in the middle")
        if judged:
            yield dg.AssetCheckResult(
                passed=passed, check_name="adds_up", description=None if passed else "Do this.", metadata={"gross_cents": 7}
            )

    return dg.materialize([sample], instance=instance, partition_key=month, raise_on_error=False)


def adds_up(instance: dg.DagsterInstance, month: str) -> CheckRecord:
    """Return the publish check's record of a month."""
    (record,) = results_of_month(instance, [PUBLISH], month)
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


def test_a_check_whose_run_crashed_before_it_does_not_hold(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    assert not materialize(instance, "2025-03", crash=True).success
    record = adds_up(instance, "2025-03")
    assert (record.state, record.holds) == ("planned", False)


def test_a_pass_on_an_older_table_is_outdated(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="2025-04"))
    assert adds_up(instance, "2025-03").holds, "another month's table is no newer one"
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="2025-03"))
    record = adds_up(instance, "2025-03")
    assert (record.state, record.holds) == ("outdated", False)
    assert record.next_step


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
    assert is_interrupted(instance, [PUBLISH], "2025-03"), "it is on record as planned"
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
        yield dg.AssetCheckResult(passed=True, check_name="holds")
        yield dg.AssetCheckResult(passed=True, check_name="adds_up")

    assert dg.materialize([sample], instance=instance, partition_key="2025-03").success
    assert adds_up(instance, "2025-03").state == "passed"


def test_results_come_in_the_order_of_the_specs(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    assert [each.name for each in results_of_month(instance, [PUBLISH, WRITE], "2025-03")] == ["adds_up", "holds"]
    assert [each.name for each in results_of_month(instance, [WRITE, PUBLISH], "2025-03")] == ["holds", "adds_up"]
    assert all(each.holds for each in results_of_month(instance, [WRITE, PUBLISH], "2025-03"))


def test_a_figure_that_is_no_whole_number_is_read_as_it_was_judged(instance: dg.DagsterInstance) -> None:
    # A float holds some 16 digits of it.
    cost = Decimal("123456789012345678.000000000001")

    @dg.asset(key=KEY, partitions_def=PARTITIONS, check_specs=[PUBLISH])
    def sample() -> Iterator[object]:
        yield dg.MaterializeResult()
        judged = Judgement(True, {"cost": cost, "rows": 3}, pd.DataFrame({"largest": [cost]}))
        yield check_factory.result(SAMPLE, "adds_up", Gate.PUBLISH, judged)

    dg.materialize([sample], instance=instance, partition_key="2025-03")
    (found,) = results_of_month(instance, [PUBLISH], "2025-03")
    assert found.figures == {"cost": "123456789012345678.000000000001", "rows": 3}
