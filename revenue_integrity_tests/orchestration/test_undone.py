"""Months to run again by the record of runs: what a run covers by the time they were looked at is left to it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.seals import Seals
from revenue_integrity.orchestration.undone import undone_months
from revenue_integrity_tests.orchestration.test_check_results import KEY, OURS, PUBLISH, materialize, queue
from revenue_integrity_tests.support import home_settings

MARCH, STREAM = date(2025, 3, 1), KEY.path[0]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Return the instance of an empty home."""
    with open_instance(home_settings(tmp_path)) as opened:
        yield opened


def why(instance: dg.DagsterInstance, *busy: set[tuple[str, str]]) -> list[str]:
    """Return why March is run again, when each look at what runs cover finds what is given."""
    looks = iter(busy)
    found = undone_months(instance, [PUBLISH], STREAM, [MARCH], lambda: next(looks), OURS)
    return [each.why for each in found.values()]


def test_a_month_whose_run_is_gone_is_run_again(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    assert why(instance, set()) == []
    queue(instance, "2025-03")
    assert why(instance, set(), set()) == ["its last run was interrupted"]


def test_a_month_that_a_run_covers_is_left_to_it_also_when_it_was_asked_for_in_between(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    queue(instance, "2025-03")
    assert why(instance, {(STREAM, "2025-03")}) == []
    # The first look was before it was queued, and its planned checks were found after that.
    assert why(instance, set(), {(STREAM, "2025-03")}) == []
    assert why(instance, set(), {(STREAM, "2025-04")}) == ["its last run was interrupted"]


def test_what_no_run_of_this_home_found_is_judged_anew(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2025-03")
    nobody = Seals(b"", lambda _, month: "")
    found = undone_months(instance, [PUBLISH], STREAM, [MARCH], set, nobody)
    assert [(each.why, each.whole) for each in found.values()] == [("its checks were not made by a run of this home", True)]
