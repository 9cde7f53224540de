"""What a late entry makes new: its own month's flows, what looks back to them, and balances from the month that recognizes it.

A home of half a year is brought up to date twice, without Dagster, and the content hashes of all tables are compared.
"""

from functools import partial
from pathlib import Path

from revenue_integrity import months
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity_tests.streams.bookings.world import EARLY, customer, entry, line, put
from revenue_integrity_tests.without_dagster import bring_up_to_date

EXPLAINS = {"bookings_recon_causes", "bookings_recon_summary"}
"""What looks at neighbouring months, and back."""


def hashes(settings: BookingsSettings) -> dict[tuple[str, str], str | None]:
    catalog = read_catalog(settings)
    return {
        (rule.table.name, months.label(month)): catalog.content_hash(rule.table.qualified, month)
        for rule in BOOKINGS.rules
        for month in settings.months
    }


def test_a_late_entry_changes_its_month_and_balances_from_the_month_that_recognizes_it(tmp_path: Path) -> None:
    settings = BookingsSettings(home=tmp_path, first_month="2025-01", last_month="2025-07", threads=1)
    home = Deployment(settings, Streams({"bookings": partial(lambda: BOOKINGS)}))
    put(settings.landing_path, "customers", EARLY, [customer()])
    put(settings.landing_path, "deal_lines", EARLY, [line()])
    booked = [entry(f"E-{month}", f"2025-0{month}") for month in range(1, 8) if month != 3]
    put(settings.landing_path, "recognition_entries", "20250820T000000Z", booked)
    bring_up_to_date(home)
    before = hashes(settings)
    # March was forgotten; it is posted on 2025-06-20, when May is closed and June is not.
    put(
        settings.landing_path,
        "recognition_entries",
        "20250821T000000Z",
        [entry("E-3", "2025-03", posted_at="2025-06-20T10:00:00Z")],
    )
    bring_up_to_date(home)
    after = hashes(settings)
    changed = {key for key in before if before[key] != after[key]}

    march = {table for table, month in changed if month == "2025-03"}
    assert {
        "recognition_lines",
        "revenue_month",
        "compliance_month",
        "deal_month",
        "bookings_recon_results",
        "bookings_recon_causes",
        "bookings_recon_summary",
        "bookings_close_bridge",
    } <= march
    for month in ("2025-04", "2025-05"):
        assert {table for table, of in changed if of == month} <= EXPLAINS
    for month in ("2025-01", "2025-02"):
        assert {table for table, of in changed if of == month} <= EXPLAINS
    june = {table for table, month in changed if month == "2025-06"}
    assert {"deal_month", "deferred_rollforward", "bookings_recon_results", "bookings_close_bridge"} <= june
    assert "recognition_lines" not in june
    assert "revenue_month" not in june
    july = {table for table, month in changed if month == "2025-07"}
    assert {"deal_month", "deferred_rollforward"} <= july
    assert not {"recognition_lines", "revenue_month", "recognition_schedule"} & july


def test_landing_the_same_rows_again_makes_nothing_stale(tmp_path: Path) -> None:
    settings = BookingsSettings(home=tmp_path, first_month="2025-01", last_month="2025-02", threads=1)
    home = Deployment(settings, Streams({"bookings": partial(lambda: BOOKINGS)}))
    put(settings.landing_path, "customers", EARLY, [customer()])
    put(settings.landing_path, "deal_lines", EARLY, [line()])
    rows = [entry("E-1", "2025-01"), entry("E-2", "2025-02")]
    put(settings.landing_path, "recognition_entries", "20250310T000000Z", rows)
    bring_up_to_date(home)
    before = hashes(settings)
    put(settings.landing_path, "recognition_entries", "20250311T000000Z", rows)
    bring_up_to_date(home)
    assert hashes(settings) == before
