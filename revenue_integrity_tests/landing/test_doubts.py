"""What is told of a batch at once, although each of its rows is good: keys that are claimed twice, damaged identifiers."""

from pathlib import Path

import pytest

from revenue_integrity.landing.zone import land
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.settings import CloudSettings
from revenue_integrity.streams.cloud.sources import BILLING_EVENTS, FOCUS
from revenue_integrity.streams.colocation.sources import ERP_INVOICES, METER_READINGS, POWER_BILLS
from revenue_integrity_tests.landing.support import csv_text, row
from revenue_integrity_tests.streams.cloud.world import DEFAULTS

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "faults"


def told(tmp_path: Path, source: Source, *rows: dict[str, str]) -> list[str]:
    """Return what landing rows as one file tells to look at."""
    tmp_path.mkdir(exist_ok=True)
    file = tmp_path / "data.csv"
    file.write_text(csv_text(list(rows)), encoding="utf-8")
    kind = CloudSettings if source.stream == "cloud" else Settings
    return list(land(kind(home=tmp_path), source, [file]).doubts)


def test_nothing_is_told_of_rows_that_are_what_they_seem(tmp_path: Path) -> None:
    readings = [row("meter_readings", reading_date=f"2025-03-{day:02}") for day in range(1, 10)]
    # Equal rows are duplicates; what the source itself orders is versions; what is refused claims nothing.
    other = row("meter_readings", reading_date="2025-03-01", read_type="estimated", kwh="1")
    assert told(tmp_path, METER_READINGS, *readings, readings[0], other, readings[1] | {"kwh": "x"}) == []


@pytest.mark.parametrize(
    ("source", "name", "change"),
    [
        (METER_READINGS, "meter_readings", {"kwh": "1"}),
        (ERP_INVOICES, "erp_invoices", {"amount": "1", "unit_price": "1"}),
        (ERP_INVOICES, "erp_invoices", {"erp_contract_ref": "ANOTHER"}),
    ],
)
def test_rows_of_one_batch_that_share_a_key_and_differ_are_told(
    tmp_path: Path, source: Source, name: str, change: dict[str, str]
) -> None:
    (said,) = told(tmp_path, source, row(name), row(name, **change))
    assert "2 rows claim this key and differ" in said
    assert "data.csv row 1 and data.csv row 2" in said


def test_rows_that_are_the_same_again_and_again_are_told_for_they_may_be_hours_of_a_steady_load(tmp_path: Path) -> None:
    reading = row("meter_readings")
    (said,) = told(tmp_path, METER_READINGS, *[reading] * 24, reading | {"reading_date": "2025-03-06"})
    assert said == (
        "23 rows are the same as others and count no more than those (meter_id M1, reading_date 2025-03-05: 24 times)."
        " Are they one record?"
    )


def test_versions_of_a_bill_are_none_and_two_accounts_of_a_site_are_told(tmp_path: Path) -> None:
    bill = row("power_bills")
    assert told(tmp_path / "1", POWER_BILLS, bill, bill | {"bill_version": "2"}) == []
    (said,) = told(tmp_path / "2", POWER_BILLS, bill, bill | {"bill_id": "OTHER"})
    assert "claim this key" in said


def test_many_keys_are_counted(tmp_path: Path) -> None:
    rows = [row("meter_readings", reading_date=f"2025-03-{day:02}", kwh=str(kwh)) for day in range(1, 9) for kwh in (1, 2)]
    said = told(tmp_path, METER_READINGS, *rows)
    assert len(said) == 6
    assert said[-1] == "... and 3 more keys that several rows claim"


def test_versions_of_an_event_are_told_where_nothing_orders_them(tmp_path: Path) -> None:
    event = DEFAULTS["billing_events"]
    assert told(tmp_path / "1", BILLING_EVENTS, event, event | {"cost": "11", "ingested_at": "2025-03-05T13:00:00Z"}) == []
    (said,) = told(tmp_path / "2", BILLING_EVENTS, event, event | {"cost": "11"})
    assert "event_id E-1" in said
    # Charges have no key.
    assert told(tmp_path / "3", FOCUS, DEFAULTS["focus"], DEFAULTS["focus"] | {"BilledCost": "11"}) == []


@pytest.mark.parametrize(
    ("identifiers", "said"),
    [
        (("1.00001E+11", "INV-2"), "took for a number"),
        (("1e5", "2"), "took for a number"),
        (("12345.0",), "took for a number"),
        (("0042", "42"), "differ in leading zeros alone"),
        (("123456", "234567", "4567", "345678"), "have fewer digits than the others"),
        (("1,00001E+11", "INV-2"), "took for a number"),
        (("#REF!", "#N/A", "INV-2"), "where a formula found nothing"),
        (("1234567890123450000", "1234567890123460000"), "end in zeros behind the 15th"),
        (("1234567890123450000", "1234567890123461234"), ""),
        (("INV-1E5", "E5", "12.5", "00042", "99942"), ""),
        (("1", "22", "333"), ""),
        (("9998", "9999", "10000"), ""),
    ],
)
def test_identifiers_that_a_spreadsheet_changed_are_told(tmp_path: Path, identifiers: tuple[str, ...], said: str) -> None:
    found = told(tmp_path, ERP_INVOICES, *(row("erp_invoices", document_id=each) for each in identifiers))
    about = [each for each in found if each.startswith("document_id")]
    assert [said in each for each in about] == ([True] if said else [])


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases of faults are not beside the checkout (../shared/cases/faults)")
@pytest.mark.parametrize(("name", "source"), [("excel_damaged_ids", ERP_INVOICES), ("hourly_rows", METER_READINGS)])
def test_the_cases_are_told(tmp_path: Path, name: str, source: Source) -> None:
    found = land(Settings(home=tmp_path), source, [CASES / "e2" / f"{name}.csv"]).doubts
    assert any("claim this key and differ" in each for each in found)
    assert any("took for a number" in each for each in found) == (name == "excel_damaged_ids")
