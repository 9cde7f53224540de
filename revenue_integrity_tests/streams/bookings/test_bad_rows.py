"""Bad rows of bookings: each is told in its own words, nothing else is lost, and what waits for another delivery heals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_integrity.landing.ingest import ingest
from revenue_integrity.streams.bookings.settings import BookingsSettings
from revenue_integrity.streams.bookings.sources import SOURCES
from revenue_integrity.streams.bookings.stream import BOOKINGS
from revenue_integrity.warehouse import database
from revenue_integrity_tests.cases import computed_case
from revenue_integrity_tests.streams.bookings.world import EARLY, customer, entry, line, put

MILESTONE = {"deal_id": "D-1", "line_no": 1, "milestone_no": 1, "share": "0.5", "completed_on": ""}
MAPPED = {"accounting_ref": "R-1", "deal_id": "D-1", "line_no": 1, "valid_from": "2025-01-01", "valid_to": ""}
BILL = {
    "document_id": "I-1",
    "document_line": 1,
    "document_type": "invoice",
    "deal_id": "D-1",
    "line_no": 1,
    "amount": "100.00",
    "currency": "USD",
    "invoice_date": "2025-01-05",
    "posted_at": "2025-01-05T10:00:00Z",
}

LARGEST = "9999999999999.99"
"""The largest amount that a file may hold: 15 digits in all."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[BookingsSettings, duckdb.DuckDBPyConnection]]:
    settings = BookingsSettings(home=tmp_path, first_month="2025-01", last_month="2025-06", threads=1)
    put(settings.landing_path, "customers", EARLY, [customer()])
    put(settings.landing_path, "deal_lines", EARLY, [line()])
    with database.connect(settings) as connection:
        yield settings, connection


Home = tuple[BookingsSettings, duckdb.DuckDBPyConnection]


def read(home: Home) -> dict[int, str]:
    """Read what was landed; return why rows of the newest batch are refused, by their number."""
    settings, connection = home
    ingest(connection, settings.landing_path, SOURCES, settings)
    found = connection.execute(
        "select row_number, dq_errors from meta.quarantine"
        " where batch_id = (select max_by(batch_id, arrival) from meta.batches) order by row_number"
    ).fetchall()
    return dict(found)


def test_each_bad_deal_line_is_told_in_its_own_words(home: Home) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"end_date": "2024-12-31"}, "end_date 2024-12-31 is before start_date 2025-01-01"),
        ({"end_date": "", "duration_months": ""}, "neither end_date nor duration_months"),
        ({"amount": "-0.01"}, "amount"),
        ({"standalone_price": "-1"}, "standalone_price"),
        ({"duration_months": 0}, "duration_months 0 is below 1"),
        ({"version": 0}, "version 0 is below 1"),
        ({"line_no": 0}, "line_no 0 is below 1"),
        ({"customer_id": "C-9"}, "customer C-9 is unknown"),
        ({"status": "cancelled", "change": "cancellation"}, "no effective_from in a version that is cancelled"),
        ({"modification": "catch_up"}, "no effective_from in a version that is catch_up"),
        ({"effective_from": "2026-01-01"}, "effective_from 2026-01-01 lies outside the term from 2025-01-01"),
        ({"policy": "by_mood"}, "policy 'by-mood' is none of"),
        ({"amount": "1.001"}, "amount '1.001' is not a decimal number with at most 2 places"),
        ({"amount": "10000000000000.00"}, "amount"),
        ({"booked_on": "10.12.2024"}, "booked_on '10.12.2024' is not a date YYYY-MM-DD"),
    ]
    rows = [line(f"D-{at + 10}") | changes for at, (changes, _) in enumerate(bad)]
    put(home[0].landing_path, "deal_lines", "20250110T000000Z", [*rows, line("D-99", amount=LARGEST)])
    found = read(home)
    assert sorted(found) == list(range(1, len(bad) + 1))
    for at, (_, words) in enumerate(bad, start=1):
        assert words.replace("by-mood", "by_mood") in found[at].replace("by-mood", "by_mood"), at
    counted = home[1].execute(
        "select rows_in_file, rows_loaded, rows_quarantined from meta.batches order by arrival desc limit 1"
    )
    assert counted.fetchone() == (16, 1, 15)
    kept = home[1].execute("select amount_cents from raw.bookings_deal_lines where deal_id = 'D-99'").fetchall()
    assert kept == [(10**15 - 1,)]


def test_a_customer_other_than_that_of_the_deals_first_row_is_refused(home: Home) -> None:
    put(home[0].landing_path, "customers", "20250101T000000Z", [customer("C-2")])
    put(home[0].landing_path, "deal_lines", "20250110T000000Z", [line(line_no=2, customer_id="C-2"), line(line_no=3)])
    assert read(home) == {1: "customer of the deal changed: C-2, but its first accepted row has C-1"}


def test_versions_may_arrive_in_any_order(home: Home) -> None:
    third = line(version=3, amount="1800.00", effective_from="2025-05-01", booked_on="2025-04-20", change="expansion")
    second = line(version=2, amount="1500.00", effective_from="2025-03-01", booked_on="2025-02-20", change="expansion")
    put(home[0].landing_path, "deal_lines", "20250421T000000Z", [third])
    put(home[0].landing_path, "deal_lines", "20250501T000000Z", [second])
    assert read(home) == {}
    found = home[1].execute(
        "select version, amount_cents from raw.bookings_deal_lines where row_status = 'surviving' order by version"
    )
    assert found.fetchall() == [(1, 120_000), (2, 150_000), (3, 180_000)]


def test_a_mapping_to_a_line_that_comes_later_waits_and_heals(home: Home) -> None:
    put(
        home[0].landing_path,
        "recognition_mapping",
        "20250105T000000Z",
        [MAPPED, MAPPED | {"accounting_ref": "R-2", "line_no": 2}],
    )
    assert read(home) == {2: "deal D-1 has no line 2"}
    put(home[0].landing_path, "deal_lines", "20250110T000000Z", [line(line_no=2)])
    assert read(home) == {}
    refused = home[1].execute("select count(*) from meta.quarantine").fetchone()
    mapped = home[1].execute("select accounting_ref from raw.bookings_recognition_mapping order by 1").fetchall()
    assert (refused, mapped) == ((0,), [("R-1",), ("R-2",)])


@pytest.mark.parametrize(
    ("source", "row", "words"),
    [
        ("milestones", MILESTONE | {"share": "1.000001"}, "share 1.000001 is not above 0 and at most 1"),
        ("milestones", MILESTONE | {"share": "0"}, "is not above 0 and at most 1"),
        ("milestones", MILESTONE | {"deal_id": "D-7"}, "deal D-7 is unknown"),
        ("recognition_mapping", MAPPED | {"valid_to": "2024-12-31"}, "valid_to 2024-12-31 is before valid_from 2025-01-01"),
        ("billings", BILL | {"document_type": "credit_memo"}, "credit memo"),
        ("billings", BILL | {"line_no": 4}, "deal D-1 has no line 4"),
        ("recognition_entries", entry("E-1", "2025-01", currency="EUR"), "currency is EUR, not USD"),
        ("recognition_entries", entry("E-1", "2025-01", posted_at="2025-02-02T10:00:00"), "posted_at"),
        ("recognition_entries", entry("E-1", "2025-01", revenue_type="licence"), "revenue_type 'licence' is none of"),
        ("recognition_entries", entry("", "2025-01"), "entry_id"),
    ],
)
def test_a_bad_row_of_another_source_is_told_and_the_good_one_beside_it_stays(
    home: Home, source: str, row: dict[str, Any], words: str
) -> None:
    good = {
        "milestones": MILESTONE | {"milestone_no": 2},
        "recognition_mapping": MAPPED | {"accounting_ref": "R-3"},
        "billings": BILL | {"document_id": "I-2"},
        "recognition_entries": entry("E-2", "2025-01", deal_id="NOBODY-KNOWS"),
    }[source]
    put(home[0].landing_path, source, "20250210T000000Z", [row, good])
    found = read(home)
    assert list(found) == [1]
    assert words in found[1]
    assert home[1].execute(f"select count(*) from raw.bookings_{source}").fetchone() == (1,)


def test_without_a_column_that_must_be_there_the_batch_is_rejected_with_its_file(home: Home) -> None:
    lacking = {name: value for name, value in entry("E-1", "2025-01").items() if name != "amount"}
    put(home[0].landing_path, "recognition_entries", "20250210T000000Z", [lacking])
    read(home)
    (words,) = home[1].execute("select dq_errors from meta.quarantine").fetchone() or ("",)
    assert "data.csv lacks the column amount" in words


@pytest.mark.parametrize("policy", ["equal_months", "prorated_months", "daily"])
def test_amounts_at_the_limit_of_the_type_are_due_booked_and_explained_to_the_cent(tmp_path: Path, policy: str) -> None:
    # 9,999,999,999,999.99 over the year 2025: January is a twelfth, or 31 of 365 days; the next months are what is left of the
    # sum up to them, rounded half away from zero.
    whole = 10**15 - 1
    parts, of = {"equal_months": ((1, 2, 3), 12), "prorated_months": ((1, 2, 3), 12), "daily": ((31, 59, 90), 365)}[policy]
    to_date = [(2 * whole * part + of) // (2 * of) for part in parts]
    due = [cents - before for cents, before in zip(to_date, [0, *to_date], strict=False)]
    settings = BookingsSettings(home=tmp_path, first_month="2025-01", last_month="2025-03", threads=1)
    put(settings.landing_path, "customers", EARLY, [customer()])
    put(settings.landing_path, "deal_lines", EARLY, [line(amount=LARGEST, policy=policy)])
    booked = [entry("E-1", "2025-01", LARGEST), entry("E-2", "2025-02", f"-{LARGEST}")]
    put(settings.landing_path, "recognition_entries", "20250410T000000Z", booked)
    with computed_case(settings, BOOKINGS, "bookings_recon_causes") as connection:
        rows = connection.execute(
            "select expected_cents, expected_to_date_cents, remaining_cents from mart.recognition_schedule order by month"
        ).fetchall()
        assert rows == [(now, so_far, whole - so_far) for now, so_far in zip(due, to_date, strict=True)]
        variances = connection.execute(
            "select r.variance_cents, sum(c.cause_cents) from recon.bookings_recon_results as r"
            " left join recon.bookings_recon_causes as c using (month, recon, view, row_key)"
            " where r.recon = 'recognized_vs_schedule' and r.view = 'current' group by r.month, 1 order by r.month"
        ).fetchall()
        assert variances == [(cents, cents) for cents in (whole - due[0], -whole - due[1], -due[2])]
