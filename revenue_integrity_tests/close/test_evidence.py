"""Which deliveries say that the extracts of a month reach its cutoff."""

from datetime import UTC, datetime, timedelta

from revenue_integrity.close.evidence import Delivery, extracts_short_of
from revenue_integrity.model.signed import Extracts

CUTOFF = datetime(2025, 4, 7, 23, 59, 59, tzinfo=UTC)
BOTH = Extracts(prefix="erp_", always="recognition")


def delivery(source: str, days: int, status: str = "loaded") -> Delivery:
    """Return a batch that arrived some days after the cutoff."""
    return Delivery(f"s/{source}/{days}", source, CUTOFF + timedelta(days=days), status, 0)


def test_a_source_that_is_always_asked_for_counts_whatever_its_name() -> None:
    assert extracts_short_of([], BOTH, CUTOFF) == {"recognition": None}
    assert extracts_short_of([delivery("recognition", 0)], BOTH, CUTOFF) == {}
    assert extracts_short_of([delivery("recognition", -1)], BOTH, CUTOFF) == {"recognition": CUTOFF - timedelta(days=1)}
    assert extracts_short_of([delivery("recognition", 1)], Extracts(always="recognition"), CUTOFF) == {}


def test_others_are_asked_for_once_they_have_delivered_and_a_rejected_batch_delivers_nothing() -> None:
    given = [delivery("recognition", 1), delivery("erp_invoices", -2), delivery("erp_bills", 2), delivery("sites", -9)]
    assert extracts_short_of(given, BOTH, CUTOFF) == {"erp_invoices": CUTOFF - timedelta(days=2)}
    assert extracts_short_of([*given, delivery("erp_invoices", 3, "rejected")], BOTH, CUTOFF).keys() == {"erp_invoices"}
    assert extracts_short_of([*given, delivery("erp_invoices", 3)], BOTH, CUTOFF) == {}
