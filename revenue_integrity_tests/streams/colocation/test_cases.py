"""Whole cases, landing zone to mart: every expected table exactly, and the figures of `golden` worked out by hand.

Belongs here: the cases. Does not belong here: single rules on worlds of their own (the other files of this folder).
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests import cases

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = REPOSITORY / "revenue_integrity_tests" / "fixtures" / "golden"
REAL_2024 = REPOSITORY.parent / "shared" / "cases" / "real-2024"

OTHER_TABLES = ("batches", "quarantine")
"""Datasets that ingestion keeps; every other is the table of a rule."""

QUARANTINE_KEY = ("batch_id", "file_name", "row_number")
"""What names a refused row; the words of the reason are free."""

Rows = list[dict[str, str]]


class Case:
    """A computed case: its warehouse and what it must give."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Settings, expected: Path) -> None:
        self.connection = connection
        self.settings = settings
        self.expected = expected

    def found(self, dataset: str) -> Rows:
        """Return a dataset as an export prints it."""
        return cases.dataset_rows(self.connection, self.settings, COLOCATION, dataset)

    def find(self, dataset: str, **wanted: str) -> dict[str, str]:
        """Return the only row with some values."""
        (row,) = [row for row in self.found(dataset) if all(row[name] == value for name, value in wanted.items())]
        return row

    def difference(self, dataset: str) -> str:
        """Return how a dataset differs from what it must be, empty if it does not."""
        file = self.expected / f"{dataset}.csv"
        with file.open(encoding="utf-8", newline="") as stream:
            columns = next(csv.reader(stream), [])
        if dataset == "quarantine":
            columns = [name for name in QUARANTINE_KEY if name in columns] or list(QUARANTINE_KEY)
        return cases.difference(cases.expected_rows(file), self.found(dataset), columns)


def computed(settings: Settings, expected: Path, *tables: str) -> Iterator[Case]:
    """Compute a case: all of it, or some tables with what is behind them."""
    with cases.computed_case(settings, COLOCATION, *tables) as connection:
        yield Case(connection, settings, expected)


def datasets(expected: Path) -> list[str]:
    """Return the expected datasets that the stream computes at present."""
    computable = {rule.table.name for rule in COLOCATION.rules} | set(OTHER_TABLES)
    return sorted(file.stem for file in expected.glob("*.csv") if file.stem in computable)


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    home = tmp_path_factory.mktemp("golden")
    settings = load_settings(home=home, landing=GOLDEN / "landing", first_month="2025-04", last_month="2025-04")
    yield from computed(settings, GOLDEN / "expected")


@pytest.fixture(scope="module")
def real_2024(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    home = tmp_path_factory.mktemp("real")
    settings = load_settings(home=home, landing=REAL_2024 / "landing", first_month="2024-01", last_month="2024-09")
    yield from computed(settings, REAL_2024 / "expected", *datasets(REAL_2024 / "expected"))


@pytest.mark.parametrize("dataset", datasets(GOLDEN / "expected"))
def test_golden_gives_exactly_what_it_must(golden: Case, dataset: str) -> None:
    assert not golden.difference(dataset)


@pytest.mark.skipif(not REAL_2024.is_dir(), reason="the case real-2024 is not beside the checkout (../shared/cases/real-2024)")
@pytest.mark.parametrize("dataset", datasets(REAL_2024 / "expected") or ["(absent)"])
def test_real_2024_gives_exactly_what_it_must(real_2024: Case, dataset: str) -> None:
    assert not real_2024.difference(dataset)


def test_the_cases_cover_the_headline_tables() -> None:
    assert len(datasets(GOLDEN / "expected")) >= 14


# --- golden, with paper and pencil. April 2025 has 30 days. ---


def test_upsell_inside_the_month_makes_two_segments(golden: Case) -> None:
    # Version 1 of A from the 1st, version 2 from the 11th, both open: the higher is in force from the 11th on.
    segments = [
        (row["version"], row["segment_from"], row["segment_to"], row["active_days"])
        for row in golden.found("contract_terms")
        if row["contract_id"] == "A"
    ]
    assert segments == [("1", "2025-04-01", "2025-04-10", "10"), ("2", "2025-04-11", "2025-04-30", "20")]


def test_upsell_is_prorated_by_days(golden: Case) -> None:
    # Rack: 3 x 1000.10 x 10/30 = 1000.10; 5 x 1000.10 x 20/30 = 3333.666… -> 3333.67; together 4333.77.
    # Power: 20 x 150.55 x 10/30 = 1003.666… -> 1003.67; x 20/30 = 2007.333… -> 2007.33; together 3011.00.
    # Rounding the month's sum (4333.7666…, 3011.00) instead would hide that each segment is a line of its own.
    amounts = [
        (row["charge_type"], row["version"], row["amount_cents"])
        for row in golden.found("expected_charges")
        if row["contract_id"] == "A"
    ]
    assert sorted(amounts) == [
        ("power", "1", "100367"),
        ("power", "2", "200733"),
        ("rack", "1", "100010"),
        ("rack", "2", "333367"),
    ]


def test_run_rate_is_that_of_the_last_day_for_a_full_month(golden: Case) -> None:
    # A on the 30th: 5 x 1000.10 + 20 x 150.55 = 5000.50 + 3011.00. The customer had nothing on 31 March: new.
    assert golden.find("mrr_movements", customer_id="CU-1") == {
        "month": "2025-04",
        "customer_id": "CU-1",
        "opening_cents": "0",
        "new_cents": "801150",
        "reactivation_cents": "0",
        "expansion_cents": "0",
        "contraction_cents": "0",
        "churn_cents": "0",
        "closing_cents": "801150",
    }


def test_start_inside_the_month_is_prorated_and_charges_its_fee(golden: Case) -> None:
    # B runs 5-30 April, 26 days: 10 kW x 50 x 26/30 = 433.333…; it has no rack price, so no rack row; fee 99.99.
    amounts = {row["charge_type"]: row["amount_cents"] for row in golden.found("expected_charges") if row["contract_id"] == "B"}
    assert amounts == {"power": "43333", "energy": "45407", "overage": "8750", "one_time": "9999"}


def test_missing_reading_is_the_mean_of_what_was_read_before(golden: Case) -> None:
    # Saturday 12 April: of the Saturdays before, only the 5th was read (fewer than 2), so the mean of the seven readings
    # of 5-11 April: 100 kWh, 5 kW.
    day = golden.find("meter_daily", contract_id="B", reading_date="2025-04-12")
    assert (day["kwh"], day["peak_kw"], day["estimated_kwh"], day["is_estimated"]) == ("100", "5", "100", "true")


def test_missing_reading_with_two_weekdays_is_their_mean(golden: Case) -> None:
    # Saturday 26 April: the Saturdays read are the 5th (100) and the 19th (110); the 12th is an estimate and no input: 105.
    day = golden.find("meter_daily", contract_id="B", reading_date="2025-04-26")
    assert (day["kwh"], day["is_estimated"]) == ("105", "true")


def test_meterless_contract_draws_the_default(golden: Case) -> None:
    # 20 kW x 24 h x 0.6 = 288 kWh and 12 kW on each of the 30 days: 8640 kWh, all of it estimated.
    contract = golden.find("contract_month", contract_id="A")
    assert (contract["used_kwh"], contract["peak_kw"], contract["estimated_share"]) == ("8640", "12", "1")


def test_spike_is_used_and_flagged(golden: Case) -> None:
    # 30 April: 400 kWh against 3 x the median 110 of the 28 days before.
    day = golden.find("meter_daily", contract_id="B", reading_date="2025-04-30")
    assert (day["kwh"], day["is_suspect"], day["is_estimated"]) == ("400", "true", "false")
    assert [row["reading_date"] for row in golden.found("meter_daily") if row["is_suspect"] == "true"] == ["2025-04-30"]


def test_late_reading_is_flagged(golden: Case) -> None:
    # The reading of the 20th came on the 25th: 5 days after its day, more than 3. All others came the next morning.
    assert [row["reading_date"] for row in golden.found("meter_daily") if row["is_late"] == "true"] == ["2025-04-20"]


def test_overage_is_that_of_the_highest_peak_whenever_it_came(golden: Case) -> None:
    # 17 kW on the 30th against 10 reserved: 7 x 12.50 = 87.50. The 14 kW of the 20th would have been 50.00.
    row = golden.find("expected_charges", contract_id="B", charge_type="overage")
    assert (row["segment_from"], row["segment_to"], row["quantity"], row["amount_cents"]) == (
        "2025-04-30",
        "2025-04-30",
        "7",
        "8750",
    )


def test_metered_energy_is_uplifted(golden: Case) -> None:
    # B, kWh: 7 days of 100 (5-11), the estimates 100 (12th) and 105 (26th), 400 (30th), and 110 on the other 16 days:
    # 700 + 100 + 105 + 400 + 1760 = 3065. Billable 3065 x 1.2 = 3678; x 0.123456 = 454.071168 -> 454.07.
    row = golden.find("expected_charges", contract_id="B", charge_type="energy")
    assert (row["quantity"], row["amount_cents"]) == ("3678", "45407")
    assert golden.find("contract_month", contract_id="B")["used_kwh"] == "3065"


def test_energy_is_allocated_by_metered_kwh(golden: Case) -> None:
    # 1000.00 over A 8640 and B 3065 of 11705 kWh: A 73814.609…, B 26185.390…; the cent goes to A's larger remainder.
    shares = _shares(golden, "S-1", "energy")
    assert shares == {"A": "73815", "B": "26185", "STRANDED": "0"}


def test_capacity_charges_leave_stranded_what_nobody_reserved(golden: Case) -> None:
    # kW-days: A 20 x 30 = 600, B 10 x 26 = 260, capacity 100 x 30 = 3000, so 2140 are stranded.
    # Demand 300.00: 6000 / 2600 / 21400 cents, exactly.
    assert _shares(golden, "S-1", "demand") == {"A": "6000", "B": "2600", "STRANDED": "21400"}
    # Fixed 100.01 = 10001 cents: 2000.2 / 866.753… / 7134.046…; floors 2000 + 866 + 7134 = 10000, the cent to B (0.753).
    assert _shares(golden, "S-1", "fixed") == {"A": "2000", "B": "867", "STRANDED": "7134"}
    # Tax 50.00: 1000 / 433.333… / 3566.666…; floors 4999, the cent to STRANDED (0.666).
    assert _shares(golden, "S-1", "tax") == {"A": "1000", "B": "433", "STRANDED": "3567"}


def _shares(case: Case, site: str, charge: str) -> dict[str, str]:
    return {
        row["contract_id"]: row["amount_cents"]
        for row in case.found("power_allocation")
        if row["site_id"] == site and row["charge"] == charge
    }


def test_site_without_any_bill_is_accrued_at_zero_and_says_so(golden: Case) -> None:
    bill = golden.find("power_bills", site_id="S-2")
    assert (bill["total_cents"], bill["is_accrued"], bill["no_bill_history"], bill["kwh"]) == ("0", "true", "true", "")
    assert golden.find("contract_month", contract_id="C")["bill_is_accrued"] == "true"


def test_margin_is_revenue_less_allocated_power(golden: Case) -> None:
    # A: 7344.77 - (738.15 + 60.00 + 20.00 + 10.00) = 6516.62; B: 1074.89 - (261.85 + 26.00 + 8.67 + 4.33) = 774.04.
    margins = {row["contract_id"]: row["margin_cents"] for row in golden.found("contract_month")}
    assert margins == {"A": "651662", "B": "77404", "C": "1000"}
    # Site: 6516.62 + 774.04 - stranded (214.00 + 71.34 + 35.67 = 321.01) = 6969.65.
    site = golden.find("site_month", site_id="S-1")
    assert (site["stranded_cents"], site["margin_cents"]) == ("32101", "696965")


def test_posting_at_the_last_microsecond_is_in_time_and_one_later_is_late(golden: Case) -> None:
    # The 5th business day of May 2025 is Wednesday the 7th (1, 2, 5, 6, 7); its end is the cutoff.
    lines = {row["document_id"]: (row["posted_at"], row["late"]) for row in golden.found("invoice_lines")}
    assert lines["D2"] == ("2025-05-07T23:59:59.999999Z", "false")
    assert lines["D3"] == ("2025-05-08T00:00:00.000000Z", "true")


def test_reference_of_a_contract_counts_where_no_mapping_row_holds(golden: Case) -> None:
    # D7 says C where the mapping knows R-C: C is a contract of E3's customer.
    row = golden.find("invoice_lines", document_id="D7")
    assert (row["contract_id"], row["customer_id"], row["mapping_status"]) == ("C", "CU-3", "by_reference")


def test_racks_assigned_change_with_the_removal(golden: Case) -> None:
    # Four racks on 1-15 April, R0 goes: three on 16-30: (15 x 4 + 15 x 3) / 30 = 3.5 of (10 x 3 + 20 x 5) / 30 = 4.333333.
    contract = golden.find("contract_month", contract_id="A")
    assert (contract["assigned_racks"], contract["contracted_racks"], contract["rack_utilization"]) == (
        "3.5",
        "4.333333",
        "0.807692",
    )


def test_short_history_shows_stress_and_no_percentile(golden: Case) -> None:
    # A's rate is 145001 cents / 11705 kWh = 12.387…; 9 x 20 x 30 x 24 x 0.1 = 12960 kWh at full load:
    # 734477 - 12960 x 12.387954… = 573929 cents; at price x 1.5 the 8640 kWh cost the same.
    row = golden.find("contract_risk", contract_id="A")
    assert (row["risk_months"], row["expected_margin_cents"], row["margin_p5_cents"]) == ("1", "", "")
    assert (row["stress_full_cents"], row["stress_price_cents"], row["stress_worst_rate_cents"]) == ("573929", "573929", "627445")
