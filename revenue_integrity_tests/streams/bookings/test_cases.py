"""Whole cases, landing zone to reconciliations: every expected table exactly, and the causes of `golden` worked out by hand.

Belongs here: the cases of the folder `bookings` beside the checkout. Does not belong here: single rules (the other files of this
folder).
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity_tests import cases

REPOSITORY = Path(__file__).resolve().parents[3]
CASES = REPOSITORY.parent / "shared" / "cases" / "bookings"
MONTHS = {"golden": ("2025-03", "2025-05"), "deals-2025": ("2025-01", "2025-12")}
QUARANTINE_KEY = ["batch_id", "file_name", "row_number"]

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the bookings cases are not beside the checkout (../shared/cases)")


def datasets(case: str) -> list[str]:
    return sorted(file.stem for file in (CASES / case / "expected").glob("*.csv"))


class Case:
    """A computed case."""

    def __init__(self, name: str, connection: duckdb.DuckDBPyConnection, settings: BookingsSettings) -> None:
        self._name = name
        self.connection = connection
        self._settings = settings

    def difference(self, dataset: str) -> str:
        """Return how a dataset differs from what it must be, empty if it does not."""
        file = CASES / self._name / "expected" / f"{dataset}.csv"
        with file.open(encoding="utf-8", newline="") as stream:
            columns = next(csv.reader(stream), [])
        columns = QUARANTINE_KEY if dataset == "quarantine" else columns
        found = cases.dataset_rows(self.connection, self._settings, BOOKINGS, dataset)
        return cases.difference(cases.expected_rows(file), found, columns)

    def not_explained(self) -> list[tuple[object, ...]]:
        """Return the rows whose causes do not add up to their variance."""
        return self.connection.execute(
            """
            select r.month, r.view, r.row_key, r.variance_cents, sum(c.cause_cents)
            from recon.bookings_recon_results as r
            left join recon.bookings_recon_causes as c using (month, recon, view, row_key)
            where r.recon = 'recognized_vs_schedule'
            group by all
            having r.variance_cents <> coalesce(sum(c.cause_cents), 0)
            """
        ).fetchall()


def computed(name: str, home: Path) -> Iterator[Case]:
    first, last = MONTHS[name]
    settings = BookingsSettings(home=home, landing=CASES / name / "landing", first_month=first, last_month=last)
    # The last month first, for their order decides nothing.
    with cases.computed_case(settings, BOOKINGS, wanted=settings.months[::-1]) as connection:
        yield Case(name, connection, settings)


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    yield from computed("golden", tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def deals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    yield from computed("deals-2025", tmp_path_factory.mktemp("deals"))


@pytest.mark.parametrize("dataset", datasets("golden"))
def test_golden_gives_exactly_what_it_must(golden: Case, dataset: str) -> None:
    assert not golden.difference(dataset)


@pytest.mark.parametrize("dataset", datasets("deals-2025"))
def test_a_year_of_deals_gives_exactly_what_it_must(deals: Case, dataset: str) -> None:
    assert not deals.difference(dataset)


def test_causes_of_every_row_add_up_to_its_variance(golden: Case, deals: Case) -> None:
    assert golden.not_explained() == []
    assert deals.not_explained() == []


def test_causes_of_golden_are_those_that_were_planted(golden: Case) -> None:
    # B: 1,800.00 over 1,500 : 500 is 1,350.00 and 450.00, but its entries have the stated 1,200.00 / 12 and 600.00.
    # C: April was due 15 days at 1.00 and 15 at 2.00 a day; its 30.00 are those of the first version.
    # D: signed in April, from March on: 100.00 a month, and March's are missing; in May the entry names a ghost.
    # E: cancelled from May on.
    found = golden.connection.execute(
        """
        select strftime(month, '%Y-%m'), deal_id, revenue_type, cause, cause_cents
        from recon.bookings_recon_causes
        where view = 'current'
        order by all
        """
    ).fetchall()
    assert found == [
        ("2025-04", "B", "setup", "price_not_allocated", 15_000),
        ("2025-04", "B", "subscription", "price_not_allocated", -1_250),
        ("2025-04", "C", "subscription", "stale_version", -1_500),
        ("2025-04", "D", "support", "catch_up_missing", -10_000),
        ("2025-05", "D", "support", "unmapped_entry", -10_000),
        ("2025-05", "E", "service", "after_cancellation", 2_000),
        ("2025-05", None, "support", "unmapped_entry", 10_000),
    ]


def test_what_was_posted_a_microsecond_too_late_is_late_as_of_close_alone(golden: Case) -> None:
    found = golden.connection.execute(
        "select deal_id, view, cause_cents, evidence from recon.bookings_recon_causes where cause = 'late_posting'"
    ).fetchall()
    assert found == [("C", "as_of_close", -3_000, '{"entries":["E9"]}')]
