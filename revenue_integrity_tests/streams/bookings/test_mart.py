"""What the mart says of single deals, worked out by hand.

Belongs here: terms, run-rates and balances of deals that no case holds. Does not belong here: schedules (``test_schedule``),
whole cases (``test_cases``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity_tests import cases
from revenue_integrity_tests.streams.bookings.world import EARLY, customer, line, put


def computed(home: Path, versions: Sequence[Mapping[str, Any]], last: str, *datasets: str) -> dict[str, list[dict[str, str]]]:
    """Return datasets of the months from 2025-01 on, made of versions of one customer's deals."""
    settings = BookingsSettings(home=home, first_month="2025-01", last_month=last, threads=1)
    put(settings.landing_path, "customers", EARLY, [customer()])
    put(settings.landing_path, "deal_lines", EARLY, versions)
    with cases.computed_case(settings, BOOKINGS, *datasets) as connection:
        return {name: cases.dataset_rows(connection, settings, BOOKINGS, name) for name in datasets}


def test_a_run_rate_below_zero_moves_up_and_down_and_never_ends_as_churn(tmp_path: Path) -> None:
    # 200.00 are recognized when the price falls to 100.00: the ten months from March on give back 10.00 each, until May.
    less = line(version=2, amount="100.00", booked_on="2025-03-01", change="downsell", effective_from="2025-03-01")
    ended = less | {"version": 3, "status": "cancelled", "change": "cancellation", "effective_from": "2025-05-01"}
    found = computed(tmp_path, [line(), less, ended], "2025-05", "recurring_movements")["recurring_movements"]
    names = ("month", "opening_cents", "expansion_cents", "contraction_cents", "churn_cents", "closing_cents")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("2025-01", "0", "0", "0", "0", "10000"),
        ("2025-02", "10000", "0", "0", "0", "10000"),
        ("2025-03", "10000", "0", "11000", "0", "-1000"),
        ("2025-04", "-1000", "0", "0", "0", "-1000"),
        ("2025-05", "-1000", "1000", "0", "0", "0"),
    ]


def test_a_change_agreed_before_its_first_version_is_owed_in_every_table(tmp_path: Path) -> None:
    later = line(booked_on="2025-03-10")
    sooner = later | {"version": 2, "booked_on": "2025-01-15", "change": "correction", "effective_from": "2025-04-01"}
    found = computed(tmp_path, [later, sooner], "2025-01", "deal_month", "rpo_by_year", "recognition_schedule")
    assert [(row["expected_cents"], row["rpo_cents"]) for row in found["deal_month"]] == [("0", "120000")]
    assert [(row["year"], row["rpo_cents"]) for row in found["rpo_by_year"]] == [("2025", "120000")]
    assert not found["recognition_schedule"]


def test_what_is_cancelled_before_its_first_day_has_no_terms(tmp_path: Path) -> None:
    begins = line(start_date="2025-01-30", policy="daily")
    ended = begins | {"version": 2, "status": "cancelled", "change": "cancellation", "effective_from": "2025-01-24"}
    other = line("D-2", start_date="2025-01-30")
    found = computed(tmp_path, [begins, ended, other], "2025-01", "deal_terms")["deal_terms"]
    assert [(row["deal_id"], row["version"]) for row in found] == [("D-2", "1")]
