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
