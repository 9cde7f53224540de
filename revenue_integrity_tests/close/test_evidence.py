"""Which deliveries say that the extracts of a month reach its cutoff."""

from datetime import UTC, date, datetime, timedelta

import pytest

from revenue_integrity.close.evidence import Delivery, extracts_short_of
from revenue_integrity.model.signed import Extracts, extracts_of
from revenue_integrity.streams.colocation.sources import SOURCES

MARCH = date(2025, 3, 1)
CUTOFF = datetime(2025, 4, 7, 23, 59, 59, tzinfo=UTC)
BOTH = Extracts(prefix="erp_", always="recognition")


def delivery(source: str, days: int, status: str = "loaded", *named: str, covers: str = "") -> Delivery:
    """Return a batch that arrived some days after the cutoff, of March where it names no months."""
    about = frozenset(named or ("2025-03",))
    return Delivery(f"s/{source}/{days}", source, CUTOFF + timedelta(days=days), status, 0, about, covers)


def short(given: list[Delivery], which: Extracts) -> dict[str, datetime | None]:
    """Return what is short of the cutoff of March."""
    return extracts_short_of(given, which, MARCH, CUTOFF)


def test_a_source_that_is_always_asked_for_counts_whatever_its_name() -> None:
    assert short([], BOTH) == {"recognition": None}
    assert short([delivery("recognition", 0)], BOTH) == {}
    assert short([delivery("recognition", -1)], BOTH) == {"recognition": CUTOFF - timedelta(days=1)}
    assert short([delivery("recognition", 1)], Extracts(always="recognition")) == {}


def test_others_are_asked_for_once_they_have_delivered_and_a_rejected_batch_delivers_nothing() -> None:
    given = [delivery("recognition", 1), delivery("erp_invoices", -2), delivery("erp_bills", 2), delivery("sites", -9)]
    assert short(given, BOTH) == {"erp_invoices": CUTOFF - timedelta(days=2)}
    assert short([*given, delivery("erp_invoices", 3, "rejected")], BOTH).keys() == {"erp_invoices"}
    assert short([*given, delivery("erp_invoices", 3)], BOTH) == {}


def test_a_delivery_counts_only_for_the_months_that_it_speaks_about() -> None:
    in_time = delivery("recognition", -3, "loaded", "2025-02", "2025-03")
    of_april = delivery("recognition", 30, "loaded", "2025-04")
    assert short([in_time, of_april], BOTH) == {"recognition": CUTOFF - timedelta(days=3)}
    assert short([of_april], BOTH) == {"recognition": None}
    assert short([in_time, of_april, delivery("recognition", 31, "loaded", "2025-03", "2025-04")], BOTH) == {}


@pytest.mark.parametrize(
    ("covers", "counts"), [("2025-03:2025-03", True), ("2025-01:2025-04", True), ("2025-04:2025-05", False), ("", False)]
)
def test_who_delivers_may_say_which_months_are_spoken_about(covers: str, counts: bool) -> None:
    given = [delivery("recognition", 30, "loaded", "2025-04", covers=covers)]
    assert (short(given, BOTH) == {}) is counts


def test_a_full_extract_speaks_about_every_month() -> None:
    given = [delivery("recognition", 30, "loaded", "2025-04")]
    assert short(given, Extracts(always="recognition", of_every_month=("recognition",))) == {}


def test_what_names_no_month_speaks_about_every_month() -> None:
    which = extracts_of(SOURCES, prefix="erp_", always="erp_invoices")
    assert "erp_mapping" in which.of_every_month
    assert {"erp_invoices", "erp_power_costs", "erp_control_totals"}.isdisjoint(which.of_every_month)


def test_a_look_up_is_no_extract_of_postings() -> None:
    which = extracts_of(SOURCES, prefix="erp_", always="erp_invoices")
    assert short([delivery("erp_invoices", 31), delivery("erp_mapping", -90)], which) == {}
    assert set(short([delivery("erp_invoices", 31), delivery("erp_power_costs", -1)], which)) == {"erp_power_costs"}
