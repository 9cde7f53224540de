"""The late-data sensor: what it asks for, when it asks again, and when it gives up."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from revenue_integrity import clock, months
from revenue_integrity.computing import ingestion
from revenue_integrity.desk.alerts import events
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.late_data import BATCHES_TAG, PARTITION_TAG, WHY_TAG, Memory, busy_months, plan
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity_tests.conftest import golden_settings
from revenue_integrity_tests.support import APRIL, SHIPPED

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)

HEADER = (
    "document_id,line_no,document_type,erp_customer_code,erp_contract_ref,service_month,charge_type,quantity,unit_price,"
    "amount,currency,invoice_date,posted_at,corrects_document_id\n"
)


def post(settings: Settings, amount: str, arrival: str) -> str:
    """Land a late line of April with an amount (the same document each time); return the batch's id."""
    file = settings.landing_path / "colocation" / "erp_invoices" / arrival / "late.csv"
    file.parent.mkdir(parents=True)
    line = f"LATE-1,1,invoice,E1,R-A,2025-04,other,1,{amount},{amount},USD,2025-06-01,2025-06-02T00:00:00Z,\n"
    file.write_text(HEADER + line, encoding="utf-8")
    return f"colocation/erp_invoices/{arrival}"


def asked(requests: Sequence[dg.RunRequest]) -> list[tuple[str | None, bool]]:
    """Return the months asked for, and whether it is the landing that is to be read."""
    return [(each.partition_key, each.asset_selection is not None) for each in requests]


def read(settings: Settings) -> None:
    """Read what was landed, as the run does that the sensor asks for first."""
    ingestion.ingest(settings, SHIPPED.streams.named("colocation"))


def compute(settings: Settings) -> None:
    """Do what the sensor asks for: a run of April."""
    with open_instance(settings) as instance:
        done = (
            build_definitions(deployment_of(settings))
            .resolve_job_def("month")
            .execute_in_process(instance=instance, partition_key="2025-04")
        )
        assert done.success


def test_nothing_is_asked_for_while_nothing_is_stale(golden_home: Settings) -> None:
    assert plan(deployment_of(golden_home), Memory(), set(), NOON) == ([], [])


def test_a_late_batch_is_read_and_exactly_its_month_is_computed(golden_home: Settings) -> None:
    batch = post(golden_home, "10.00", "20250602T000000Z")
    memory = Memory()
    (landing,), alerts = plan(deployment_of(golden_home), memory, set(), NOON)
    assert alerts == []
    assert landing.asset_selection == [dg.AssetKey(["colocation", "raw", "batches"])]
    assert landing.tags[WHY_TAG] == "1 new batches"
    assert landing.tags[BATCHES_TAG] == batch
    # Which months it touches is known only when it has been read.
    assert plan(deployment_of(golden_home), memory, {"2025-04"}, NOON + timedelta(minutes=1)) == ([], [])
    read(golden_home)
    (month,), _ = plan(deployment_of(golden_home), memory, set(), NOON + timedelta(minutes=2))
    assert (month.partition_key, month.asset_selection, month.job_name) == ("2025-04", None, "month")
    assert month.tags[WHY_TAG] == "raw.erp_invoices: batches changed"
    assert month.tags[BATCHES_TAG] == batch
    # While that run is queued or going on, it is not asked for again.
    assert plan(deployment_of(golden_home), memory, {"2025-04"}, NOON + timedelta(minutes=3)) == ([], [])
    compute(golden_home)
    assert plan(deployment_of(golden_home), memory, set(), NOON + timedelta(minutes=9)) == ([], [])
    assert memory.asked == {}


def test_content_that_returns_to_an_earlier_state_is_computed_again(golden_home: Settings) -> None:
    memory, keys = Memory(), []
    for day, amount in enumerate(("10.00", "20.00", "10.00", "20.00"), 2):
        post(golden_home, amount, f"2025060{day}T000000Z")
        read(golden_home)
        now = NOON + timedelta(days=day)
        (request,), _ = plan(deployment_of(golden_home), Memory.read(memory.text), set(), now)
        assert request.partition_key == "2025-04"
        plan(deployment_of(golden_home), memory, set(), now)
        keys.append(request.run_key)
        # As the command does it: what differs, and not all of the month.
        assert runner.run(deployment_of(golden_home), [APRIL], say=lambda _: None).failures == []
        assert plan(deployment_of(golden_home), memory, set(), now) == ([], [])
    # Dagster starts no run twice for the same key, ever.
    assert len(set(keys)) == len(keys)


def test_a_failed_run_is_asked_for_three_times_with_growing_delay_and_then_told(golden_home: Settings) -> None:
    post(golden_home, "10.00", "20250602T000000Z")
    read(golden_home)
    memory = Memory()
    minutes: list[int] = []
    told: list[tuple[int, events.Event]] = []
    for minute in range(60):
        requests, alerts = plan(deployment_of(golden_home), memory, set(), NOON + timedelta(minutes=minute))
        minutes += [minute for _ in requests]
        told += [(minute, each) for each in alerts]
        memory = Memory.read(memory.text)
    assert minutes == [0, 1, 3]
    ((minute, alert),) = told
    assert minute == 4
    assert (alert.month, alert.severity) == (APRIL, events.Severity.CRITICAL)
    # Something new is a reason to try again at once.
    post(golden_home, "11.00", "20250603T000000Z")
    read(golden_home)
    assert asked(plan(deployment_of(golden_home), memory, set(), NOON + timedelta(hours=2))[0]) == [("2025-04", False)]


def test_a_missed_tick_loses_nothing(golden_home: Settings) -> None:
    post(golden_home, "10.00", "20250602T000000Z")
    read(golden_home)
    for memory in (Memory(), Memory.read(None), Memory.read('{"number": 7, "asked": {}}')):
        assert asked(plan(deployment_of(golden_home), memory, set(), NOON + timedelta(days=400))[0]) == [("2025-04", False)]


def test_a_hundred_months_are_planned_at_once_and_busy_ones_left_out(golden_home: Settings) -> None:
    # 2017-01 to 2025-04 are 8 years and 4 months, which is 100 months; only the last was ever computed.
    history = golden_settings(golden_home.home, first_month="2017-01")
    assert len(history.months) == 100
    read(history)
    requests, alerts = plan(deployment_of(history), Memory(), {"2019-07"}, NOON)
    assert alerts == []
    expected = [months.label(month) for month in months.between(date(2017, 1, 1), date(2025, 4, 1)) if month != date(2019, 7, 1)]
    assert {each.partition_key for each in requests} >= set(expected) - {"2025-04"}
    assert "2019-07" not in {each.partition_key for each in requests}
    assert len({each.run_key for each in requests}) == len(requests)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_busy_are_the_months_of_runs_that_are_to_come_or_going_on(tmp_path: Path, status: dg.DagsterRunStatus) -> None:
    from dagster._core.test_utils import create_run_for_test

    from revenue_integrity_tests.support import home_settings

    with open_instance(home_settings(tmp_path)) as instance:
        run = create_run_for_test(instance, status=status, tags={PARTITION_TAG: "2025-04"})
        assert busy_months(instance) == (set() if status is dg.DagsterRunStatus.SUCCESS else {"2025-04"})
        assert busy_months(instance, but_for=run.run_id) == set()


def test_the_sensor_asks_through_dagster_and_keeps_what_it_asked(golden_home: Settings) -> None:
    post(golden_home, "10.00", "20250602T000000Z")
    definitions = build_definitions(deployment_of(golden_home))
    sensor = definitions.resolve_sensor_def("late_data")
    with open_instance(golden_home) as instance, clock.held_at(NOON):
        context = dg.build_sensor_context(instance=instance, definitions=definitions)
        first = sensor.evaluate_tick(context)
        assert first.run_requests is not None
        assert [each.partition_key for each in first.run_requests] == ["2025-04"]
        assert first.cursor is not None
        assert Memory.read(first.cursor).number == 1
        again = dg.build_sensor_context(instance=instance, definitions=definitions, cursor=first.cursor)
        second = sensor.evaluate_tick(again)
        assert not second.run_requests
        assert second.skip_message is not None
        assert "Nothing is stale that is not running" in second.skip_message
