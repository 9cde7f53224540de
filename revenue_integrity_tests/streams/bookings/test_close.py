"""A month of deals from its files to its signature, and what alerts say of a variance; without Dagster.

Belongs here: what the close and alerts make of what bookings finds. Does not belong here: both themselves (``desk``), causes
(``test_cases``), the way out of two databases (``test_two_databases``).
"""

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from revenue_integrity import months
from revenue_integrity.desk import decisions
from revenue_integrity.desk.alerts import outbox
from revenue_integrity.desk.alerts.events import Kind
from revenue_integrity.desk.alerts.telling import tell_published
from revenue_integrity.desk.close_status import close_rows
from revenue_integrity.desk.restating import restatement
from revenue_integrity.errors import Refusal
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity_tests.streams.bookings.world import EARLY, customer, entry, line, put
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date

JANUARY = date(2025, 1, 1)


def home_of(home: Path, *, last: str = "2025-01") -> Deployment:
    """Return a home with two people who may close it."""
    settings = BookingsSettings(
        home=home, first_month="2025-01", last_month=last, threads=1, preparers=("pat",), approvers=("sam",)
    )
    return Deployment(settings, Streams({"bookings": partial(lambda: BOOKINGS)}))


def land(home: Deployment, dues: dict[str, int], entries: list[dict[str, object]]) -> None:
    """Land deals of a year by what is due of each a month, in cents, and entries."""
    lines = [line(deal, amount=f"{12 * cents / 100:.2f}") for deal, cents in dues.items()]
    put(home.settings.landing_path, "customers", EARLY, [customer()])
    put(home.settings.landing_path, "deal_lines", EARLY, lines)
    put(home.settings.landing_path, "recognition_entries", "20250220T000000Z", entries)


# 1,000,000.00 are due each month, a tenth of it of D-1; materiality is 0.5 % of it. How short D-1 is, and what is told.
SHORT = {
    "2025-01": (500_000, None),
    "2025-02": (500_100, "info"),
    "2025-03": (1_000_000, "info"),
    "2025-04": (2_999_900, "info"),
    "2025-05": (3_000_000, "warning"),
    "2025-06": (9_999_900, "warning"),
    "2025-07": (10_000_000, "critical"),
}


def test_a_variance_alerts_by_its_share_of_what_is_due(tmp_path: Path) -> None:
    home = home_of(tmp_path, last="2025-07")
    entries = [entry(f"E-2-{month}", month, "900000.00", deal_id="D-2") for month in SHORT]
    entries += [
        entry(f"E-1-{month}", month, f"{(10_000_000 - short) / 100:.2f}")
        for month, (short, _) in SHORT.items()
        if short < 10_000_000
    ]
    land(home, {"D-1": 10_000_000, "D-2": 90_000_000}, entries)
    bring_up_to_date(home)
    tell_published(home, Judged(home))
    told = {
        months.label(record.event.month): (record.event.severity.value, record.event.title)
        for record in outbox.records(home.settings)
        if record.event.kind is Kind.BREACH_OVER_MATERIALITY and record.event.month
    }
    assert told == {
        month: (
            severity,
            f"bookings {month}: recognized_vs_schedule breaches by ${short / 100:,.2f}, above materiality of $5,000.00",
        )
        for month, (short, severity) in SHORT.items()
        if severity
    }


def test_a_month_is_signed_reopened_by_a_late_entry_and_signed_again_with_what_changed(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    evidence = Judged(home)

    def state() -> str:
        return str(close_rows(home, evidence, [JANUARY])[0].status)

    first = [entry("E-2", "2025-01", "990000.00", deal_id="D-2")]
    land(home, {"D-1": 1_000_000, "D-2": 99_000_000}, first)
    bring_up_to_date(home)
    assert state() == "blocked", "nothing of D-1 was recognized: 10,000.00, and materiality is 5,000.00"
    with pytest.raises(Refusal, match=r"10,000\.00"):
        decisions.prepare(home, evidence, JANUARY, "pat", "As it is.", book="bookings")
    decisions.waive(home, evidence, JANUARY, "recognition_is_within_materiality", "sam", "Booked in February.", book="bookings")
    decisions.prepare(home, evidence, JANUARY, "pat", "One deal is late.", book="bookings")
    assert decisions.approve(home, evidence, JANUARY, "sam", "Agreed.", book="bookings").version == 1
    assert state() == "signed_off"

    put(
        home.settings.landing_path,
        "recognition_entries",
        "20250310T000000Z",
        [entry("E-1", "2025-01", "10000.00", posted_at="2025-03-09T10:00:00Z")],
    )
    bring_up_to_date(home)
    assert state() == "reopened"
    changed = restatement(home, evidence, JANUARY, book="bookings")
    recognized = changed[(changed["dataset"] == "deal_month") & (changed["measure"] == "recognized_cents")]
    assert recognized["delta"].tolist() == [1_000_000]
    assert recognized["key"].str.contains("D-1").all()
    decisions.prepare(home, evidence, JANUARY, "pat", "The entry came.", book="bookings")
    assert decisions.approve(home, evidence, JANUARY, "sam", "Agreed.", book="bookings").version == 2
    assert state() == "signed_off"
    since = restatement(home, evidence, JANUARY, 2, book="bookings")
    assert since.empty, "nothing has changed since"
