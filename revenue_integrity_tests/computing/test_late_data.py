"""Late data: which months are asked for, when they are asked for again, and when nobody asks any more."""

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from revenue_integrity import months
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.late_data import GivenUp, Home, Memory, Request, plan
from revenue_integrity.computing.plan import StaleMonth, Undone, with_undone
from revenue_integrity.model.deployment import Deployment
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, put, rental, toy_deployment
from revenue_integrity_tests.without_dagster import bring_up_to_date

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(computed_toy: Deployment) -> Deployment:
    """Return a home of two months that is up to date."""
    return computed_toy


def post(home: Deployment, due: str, arrival: str) -> str:
    """Land a late rental of January (the same one each time); return the batch's id."""
    return put(home.settings, arrival, [rental("2025-01", "R-9", "B-2", due)])


def read(home: Deployment) -> None:
    """Read what was landed, as the run does that is asked for first."""
    for stream in home.streams:
        ingestion.ingest(home.settings, stream)


def asked(requests: Sequence[Request]) -> list[tuple[date, bool]]:
    """Return the months asked for, and whether it is the landing that is to be read."""
    return [(each.month, each.reads_only) for each in requests]


def test_nothing_is_asked_for_while_nothing_is_stale(home: Deployment) -> None:
    assert plan(home, Memory(), NOON) == ([], [])


def test_a_late_batch_is_read_and_exactly_its_month_is_computed(home: Deployment) -> None:
    batch = post(home, "10.00", "20250602T000000Z")
    memory = Memory()
    (landing,), given_up = plan(home, memory, NOON)
    assert given_up == []
    assert (landing.stream, landing.reads_only, landing.why, landing.batches) == ("toy", True, "1 new batches", (batch,))
    # Which months it touches is known only when it has been read; while a run does that, nobody asks again.
    assert plan(home, memory, NOON + timedelta(minutes=1), Home(reading={"toy"})) == ([], [])
    read(home)
    (month,), _ = plan(home, memory, NOON + timedelta(minutes=2))
    assert (month.month, month.reads_only) == (JANUARY, False)
    assert (month.why, month.batches) == ("raw.toy_rentals: batches changed", (batch,))
    # What differs and what stands behind it, with what landed before and what is published after.
    assert [table.name for table in month.tables] == [
        *("batches", "quarantine", "toy_rentals", "toy_rentals", "toy_boats", "toy_month"),
        *("toy_recon_results", "toy_recon_causes", "toy_recon_summary", "published"),
    ]
    # While that run is queued or going on, it is not asked for again.
    assert plan(home, memory, NOON + timedelta(minutes=3), Home(busy={("toy", "2025-01")})) == ([], [])
    bring_up_to_date(home)
    assert plan(home, memory, NOON + timedelta(minutes=9)) == ([], [])
    assert memory.asked == {}


def test_files_that_keep_arriving_hold_up_no_month(home: Deployment) -> None:
    memory = Memory()
    post(home, "10.00", "20250602T000000Z")
    read(home)
    post(home, "20.00", "20250603T000000Z")
    # January is stale by what was read; more is to be read at the same time.
    assert asked(plan(home, memory, NOON)[0]) == [(date(2025, 2, 1), True), (JANUARY, False)]
    read(home)
    post(home, "30.00", "20250604T000000Z")
    requests, _ = plan(home, memory, NOON + timedelta(minutes=1), Home(reading={"toy"}))
    assert asked(requests) == [(JANUARY, False)], "a newer state of the month, while the reading is under way"


def test_another_streams_run_of_the_month_keeps_nobody_waiting(home: Deployment) -> None:
    post(home, "10.00", "20250602T000000Z")
    read(home)
    assert asked(plan(home, Memory(), NOON, Home(busy={("cloud", "2025-01")}))[0]) == [(JANUARY, False)]


def test_a_month_whose_last_run_came_to_no_good_end_is_asked_for_as_often_as_a_stale_one(home: Deployment) -> None:
    memory, undone = Memory(), Home(undone={"toy": {FEBRUARY: Undone("its last publication was refused")}})
    minutes, told = [], []
    for minute in range(20):
        requests, given_up = plan(home, memory, NOON + timedelta(minutes=minute), undone)
        minutes += [(minute, each.month, each.why) for each in requests]
        told += [(minute, each.month) for each in given_up]
    assert minutes == [(minute, FEBRUARY, "its last publication was refused") for minute in (0, 1, 3)]
    assert told == [(4, FEBRUARY)]
    assert plan(home, memory, NOON + timedelta(minutes=30)) == ([], [])


def test_a_month_whose_checks_count_for_nothing_is_asked_for_whole_though_little_of_it_is_stale() -> None:
    little = StaleMonth(("mart.toy_boats: code changed",), frozenset({"mart.toy_boats"}))
    foreign, refused = Undone("nobody made its checks", whole=True), Undone("its last publication was refused")
    assert with_undone({JANUARY: little}, {JANUARY: foreign}) == {JANUARY: StaleMonth(("nobody made its checks",))}
    assert with_undone({JANUARY: little}, {JANUARY: refused}) == {JANUARY: little}, "what is stale is what stood in the way"
    assert list(with_undone({FEBRUARY: little}, {JANUARY: refused})) == [JANUARY, FEBRUARY]


def test_content_that_returns_to_an_earlier_state_is_computed_again(home: Deployment) -> None:
    memory, keys = Memory(), []
    for day, due in enumerate(("10.00", "20.00", "10.00", "20.00"), 2):
        post(home, due, f"2025060{day}T000000Z")
        read(home)
        now = NOON + timedelta(days=day)
        (request,), _ = plan(home, Memory.read(memory.text), now)
        assert request.month == JANUARY
        plan(home, memory, now)
        keys.append(request.key)
        bring_up_to_date(home)
        assert plan(home, memory, now) == ([], [])
    # No run is started twice for the same key, ever.
    assert len(set(keys)) == len(keys)


def test_a_state_is_asked_for_three_times_with_growing_delay_and_then_told(home: Deployment) -> None:
    post(home, "10.00", "20250602T000000Z")
    read(home)
    memory = Memory()
    minutes: list[int] = []
    told: list[tuple[int, GivenUp]] = []
    for minute in range(60):
        requests, given_up = plan(home, memory, NOON + timedelta(minutes=minute))
        minutes += [minute for _ in requests]
        told += [(minute, each) for each in given_up]
        memory = Memory.read(memory.text)
    assert minutes == [0, 1, 3]
    ((minute, given),) = told
    assert (minute, given.month, given.attempts, given.why) == (4, JANUARY, 3, "raw.toy_rentals: batches changed")
    # Something new is a reason to try again at once.
    post(home, "11.00", "20250603T000000Z")
    read(home)
    assert asked(plan(home, memory, NOON + timedelta(hours=2))[0]) == [(JANUARY, False)]


def test_batches_that_cannot_be_read_are_given_up_without_a_month(home: Deployment) -> None:
    batch = post(home, "10.00", "20250602T000000Z")
    memory = Memory()
    told = [each for minute in range(9) for each in plan(home, memory, NOON + timedelta(minutes=minute))[1]]
    ((month, why),) = [(each.month, each.why) for each in told]
    assert (month, why) == (None, f"{batch} and 0 more batches cannot be read")


def test_a_missed_look_loses_nothing(home: Deployment) -> None:
    post(home, "10.00", "20250602T000000Z")
    read(home)
    for memory in (Memory(), Memory.read(None), Memory.read('{"number": 7, "asked": {}}')):
        assert asked(plan(home, memory, NOON + timedelta(days=400))[0]) == [(JANUARY, False)]


def test_a_hundred_months_are_asked_for_at_once_and_busy_ones_left_out(home: Deployment) -> None:
    # 2016-11 to 2025-02 are 8 years and 4 months, which is 100 months; only the last two were ever computed.
    history = toy_deployment(home.settings.home, first_month="2016-11")
    assert len(history.settings.months) == 100
    read(history)
    requests, given_up = plan(history, Memory(), NOON, Home(busy={("toy", "2019-07")}))
    assert given_up == []
    assert [each.month for each in requests] == sorted(each.month for each in requests), "the oldest first"
    before = {month for month in months.between(date(2016, 11, 1), date(2024, 12, 1)) if month != date(2019, 7, 1)}
    assert {each.month for each in requests} - {JANUARY, FEBRUARY} == before
    assert len({each.key for each in requests}) == len(requests)


def test_checks_that_changed_are_a_reason_to_ask(home: Deployment) -> None:
    stricter = toy_deployment(home.settings.home, toy_dearest_cents=9_000)
    requests, _ = plan(stricter, Memory(), NOON)
    assert [(each.month, each.why) for each in requests] == [
        (JANUARY, "curated.toy_rentals: checks changed"),
        (FEBRUARY, "curated.toy_rentals: checks changed"),
    ]
    bring_up_to_date(stricter)
    assert plan(stricter, Memory(), NOON) == ([], [])


def test_a_copied_home_is_looked_through_once_and_nothing_of_it_is_read_or_computed_again(
    home: Deployment, tmp_path: Path
) -> None:
    # As cp -r: other inodes, other times.
    shutil.copytree(home.settings.home, tmp_path / "copy", copy_function=shutil.copyfile)
    copy = toy_deployment(tmp_path / "copy")
    (stream,) = copy.streams
    for file in copy.settings.landing_path.rglob("*.csv"):
        os.utime(file, (1, 1))
    assert len(ingestion.pending(copy.settings, stream)) == 2
    report = ingestion.ingest(copy.settings, stream)
    assert report is not None
    assert (report.loaded, report.changed, report.touched_months, report.rebuilt) == ([], [], [], False)
    assert ingestion.pending(copy.settings, stream) == []
    assert bring_up_to_date(copy) == []
