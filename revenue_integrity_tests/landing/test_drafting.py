"""A drafted mapping says what its file plainly is, leaves open what it may be, and is one that `map check` takes."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.landing.conversion import Preview, check
from revenue_integrity.landing.drafting import draft
from revenue_integrity.landing.mapping import load_mapping
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import SHIPPED

FAULTS = Path(__file__).parent.parent / "fixtures" / "faults"


def drafted(file: Path, source: str = "erp_invoices") -> str:
    return draft(SHIPPED.source("colocation", source), file, "USD")


def preview_of(text: str, file: Path, tmp_path: Path) -> Preview:
    path = tmp_path / "draft.toml"
    path.write_text(text, encoding="utf-8")
    return check(load_mapping(path, SHIPPED.source), file, tmp_path / "converted", Settings(home=tmp_path, currency="USD"))


READ: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # case, what [file] says, what columns say
    ("swiss", {"decimal": ".", "thousands": "'\u2019"}, {}),
    ("indian", {"delimiter": ";", "decimal": ".", "thousands": ",", "grouping": "indian"}, {}),
    ("currency", {"delimiter": ";", "decimal": ".", "thousands": ",", "currency": ["$", "USD"]}, {}),
    ("nbsp_thousands", {"delimiter": ";", "decimal": ",", "thousands": "\u00a0\u202f "}, {}),
    ("unicode_minus", {"delimiter": ";", "decimal": ",", "minus": "\u2212\u2013\uff0d"}, {}),
    ("yy", {}, {"invoice_date": {"from": "Date", "format": "DD.MM.YY", "century": 20}}),
    ("p_epoch", {}, {"posted_at": {"from": "Posted", "format": "epoch"}}),
    ("sep_line", {"delimiter": ";", "skip": 1}, {}),
    ("utf16", {"encoding": "utf-16", "delimiter": "\t"}, {}),
    ("totals_row", {}, {}),
]


@pytest.mark.parametrize(("case", "style", "columns"), READ, ids=[case for case, _, _ in READ])
def test_what_a_file_plainly_is_is_declared_and_its_rows_are_read(
    tmp_path: Path, case: str, style: dict[str, Any], columns: dict[str, Any]
) -> None:
    file = FAULTS / "csv" / case / "f.csv"
    text = drafted(file)
    found = tomllib.loads(text)
    assert found.get("file", {}) == style
    assert {key: found["columns"][key] for key in columns} == columns
    assert found["columns"]["document_id"] == "Doc"
    assert preview_of(text, file, tmp_path).reasons == ()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("crdr", 'amount: say which sign each mark means: signs = { CR = "+ or -", DR = "+ or -" }'),
        ("oracle_date", "invoice_date: no one format fits all values"),
        ("yy", "invoice_date: years of two digits are taken to be 20xx"),
        ("totals_row", "a row of totals stands in the file: it is left out"),
        ("dup_header", "the column Amount stands more than once in the file"),
        ("sci_ids", "document_id: 1.00001E+11 was an identifier before a spreadsheet took it for a number"),
    ],
)
def test_what_a_person_must_look_at_is_said(case: str, said: str) -> None:
    assert f"# ? {said}" in drafted(FAULTS / "csv" / case / "f.csv")


def test_a_date_that_can_be_read_in_two_ways_stays_undeclared(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    plain = (FAULTS / "csv" / "case_header" / "f.csv").read_text(encoding="utf-8")
    file.write_text(plain.replace("2025-03-31", "01/02/2025"), encoding="utf-8")
    text = drafted(file)
    assert '# ? invoice_date: 01/02/2025 can be read in several ways: say format = "DD/MM/YYYY" or format = "MM/DD/YYYY"' in text
    assert tomllib.loads(text)["columns"]["invoice_date"] == "DATE"
    (reason,) = preview_of(text, file, tmp_path).reasons
    assert 'format = "DD/MM/YYYY" or format = "MM/DD/YYYY" would read it' in reason


def test_an_amount_whose_mark_may_be_either_stays_undeclared(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    plain = (FAULTS / "csv" / "sep_line" / "f.csv").read_text(encoding="utf-8")
    file.write_text(plain.replace("600.00", "1,234"), encoding="utf-8")
    text = drafted(file)
    assert '# ? amount: 1,234: say whether thousands = "," (with decimal = ".") or decimal = ","' in text
    assert tomllib.loads(text)["columns"]["amount"] == "Amount"


def test_the_contract_s_own_names_are_taken_from_a_workbook(tmp_path: Path) -> None:
    file = FAULTS / "xlsx" / "erp.xlsx"
    text = drafted(file)
    found = tomllib.loads(text)
    assert found["file"] == {"format": "xlsx", "sheet": "Sheet1"}
    assert all(ours == theirs for ours, theirs in found["columns"].items())
    assert preview_of(text, file, tmp_path).rows == 15


def test_meters_of_a_nem12_file_ask_for_their_contract(tmp_path: Path) -> None:
    text = drafted(FAULTS / "nem" / "actual_first.csv", "meter_readings")
    columns = tomllib.loads(text)["columns"]
    assert columns == {
        "meter_id": "Stream", "reading_date": "IntervalDate", "kwh": "kWh", "peak_kw": "PeakKW", "read_type": "Quality",
    }  # fmt: skip
    assert '# contract_id = { from = "NMI", values = { "NEM1200001" = "..." } }' in text
    with pytest.raises(UsageError, match="the required column contract_id stands neither in columns nor in fixed"):
        preview_of(text, FAULTS / "nem" / "actual_first.csv", tmp_path)


def test_intervals_of_a_day_ask_to_be_added_up() -> None:
    text = drafted(FAULTS / "gb" / "pge.csv", "meter_readings")
    assert tomllib.loads(text)["columns"] == {"reading_date": "DATE", "kwh": "USAGE (kWh)"}
    assert "add them up: [group]" in text


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="there is no file"):
        drafted(tmp_path / "none.csv")


def header_only(tmp_path: Path, source: str, stream: str, **columns: str) -> str:
    """Return the draft for a file of one row, given its columns."""
    file = tmp_path / "f.csv"
    file.write_text(",".join(columns) + "\n" + ",".join(f'"{value}"' for value in columns.values()) + "\n", encoding="utf-8")
    return draft(SHIPPED.source(stream, source), file, "USD")


CUR = {
    "identity/LineItemId": "abc", "bill/InvoiceId": "1", "bill/BillingEntity": "AWS", "bill/PayerAccountId": "000123456789",
    "bill/BillingPeriodStartDate": "2025-01-01T00:00:00Z", "lineItem/UsageAccountId": "000987654321",
    "lineItem/LineItemType": "Usage", "lineItem/UsageStartDate": "2025-01-03T00:00:00Z", "lineItem/UsageAmount": "3",
    "lineItem/CurrencyCode": "USD", "lineItem/UnblendedCost": "1.5E-5", "lineItem/BlendedCost": "2", "product/region": "eu",
    "product/ProductName": "Storage", "pricing/term": "OnDemand",
}  # fmt: skip


def test_a_usage_report_gives_its_cost_and_never_its_usage(tmp_path: Path) -> None:
    text = header_only(tmp_path, "focus", "cloud", **CUR)
    assert tomllib.loads(text)["columns"] == {
        "billedcost": "lineItem/UnblendedCost", "billingperiodstart": "bill/BillingPeriodStartDate",
        "chargeperiodstart": "lineItem/UsageStartDate", "providername": "bill/BillingEntity",
        "billingaccountid": "bill/PayerAccountId", "subaccountid": "lineItem/UsageAccountId",
        "servicename": "product/ProductName", "regionid": "product/region", "pricingcategory": "pricing/term",
        "chargecategory": "lineItem/LineItemType", "invoiceid": "bill/InvoiceId", "billingcurrency": "lineItem/CurrencyCode",
    }  # fmt: skip
    assert "# ? pricingcategory: OnDemand would be read as other: say otherwise with values" in text


def test_what_is_only_a_little_alike_and_may_be_empty_is_not_declared(tmp_path: Path) -> None:
    text = header_only(
        tmp_path, "focus", "cloud",
        costInBillingCurrency="1", billingPeriodStartDate="01/01/2025", date="01/03/2025", serviceFamily="Compute", quantity="24",
    )  # fmt: skip
    columns = tomllib.loads(text)["columns"]
    assert set(columns.values()) == {"costInBillingCurrency", "billingPeriodStartDate", "date"}
    either = 'can be read in several ways: say format = "DD/MM/YYYY" or format = "MM/DD/YYYY"'
    assert f"billingperiodstart: 01/01/2025 {either}" in text, "also where both readings are the same day"
    assert f"chargeperiodstart: 01/03/2025 {either}" in text


def test_words_of_an_erp_in_german_are_known_and_its_column_of_signs_is_asked_for(tmp_path: Path) -> None:
    text = header_only(
        tmp_path, "erp_invoices", "colocation",
        Belegnr="4711", Pos="1", Kundennr="K-1", Vertrag="V-1", Leistungsmonat="01.2025", Leistungsart="rack", Menge="2",
        Einzelpreis="300", Betrag="600", Währung="USD", Erfassung="05.02.2025 14:03:22", **{"S/H": "H"},
    )  # fmt: skip
    columns = tomllib.loads(text)["columns"]
    assert columns["service_month"] == {"from": "Leistungsmonat", "format": "MM.YYYY"}
    assert (columns["charge_type"], columns["currency"], columns["posted_at"]) == ("Leistungsart", "Währung", "Erfassung")
    assert '# ? amount: S/H says H: if one takes off, negate_when = { "S/H" = ["H"] }' in text


def test_a_bill_is_no_day_and_demand_is_no_money(tmp_path: Path) -> None:
    bill = {"Bill Date": "02/18/2025", "Demand (kW)": "85.2", "Service From": "01/16/2025", "Service To": "02/14/2025"}
    text = header_only(tmp_path, "power_bills", "colocation", **bill)
    assert set(tomllib.loads(text)["columns"]) == {"service_month"}
    assert '# ? "Service From" and "Service To" are a period' in text


def test_a_total_alone_in_its_row_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("Invoice No,Amount\n1,2.50\n2,3.50\nTotal,\n", encoding="utf-8")
    assert tomllib.loads(drafted(file))["drop"] == {"Invoice No": ["Total"]}
