"""The workbook, read back: sheets, exact totals, live formulas, text that stays text."""

import datetime
import io
import re
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import openpyxl
import openpyxl.utils
import pandas as pd
import pytest

from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.reports.workbook import workbook_bytes
from revenue_integrity_tests.reports import sample

SHEETS = [
    "Summary",
    "Reconciliations",
    "Causes",
    "Late postings",
    "Margin by customer",
    "Contracts",
    "MRR bridge",
    "Power allocation",
]
"""Sheets that are there whatever is available."""

SHARED = ["Restatement", "Checks", "Sign-off", "Assumptions"]


def _open(content: bytes, *, values: bool) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


@pytest.fixture(scope="module")
def content() -> bytes:
    return workbook_bytes(sample.signed())


@pytest.fixture(scope="module")
def values(content: bytes) -> Any:
    return _open(content, values=True)


@pytest.fixture(scope="module")
def formulas(content: bytes) -> Any:
    return _open(content, values=False)


def _cents(value: float) -> int:
    return round(Decimal(repr(value)) * 100)


def _labelled(sheet: Any, label: str, column: int = 2) -> Any:
    rows = [row[0].row for row in sheet.iter_rows(max_col=1) if row[0].value == label]
    assert len(rows) == 1, (label, rows)
    return sheet.cell(rows[0], column)


@pytest.mark.parametrize("make", [sample.preliminary, sample.signed, sample.empty])
def test_sheets_are_there_in_order(make: Callable[[], PackData]) -> None:
    names = _open(workbook_bytes(make()), values=True).sheetnames
    assert names[: len(SHEETS)] == SHEETS
    assert [name for name in names if name in SHARED] == SHARED


def test_totals_equal_the_published_cents_without_recalculation(values: Any) -> None:
    margins = values["Margin by customer"]
    # 1,000,000.01 revenue, 463,456.81 power: by hand from the sample.
    assert [_cents(margins[cell].value) for cell in ("F5", "G5", "H5")] == [100_000_001, 46_345_681, 53_654_320]
    assert _cents(values["MRR bridge"]["I5"].value) == 96_000_001
    assert values["MRR bridge"]["J5"].value == 0
    assert _cents(values["Power allocation"]["I5"].value) == 46_345_681 + sample.STRANDED
    assert _cents(values["Late postings"]["J5"].value) == -350_049


def test_allocated_power_stands_one_row_per_contract_with_a_column_per_charge(values: Any) -> None:
    rows = [[cell.value for cell in row] for row in values["Power allocation"]["A7:I11"]]
    # Demand is 5,000.00 of each contract, the rest is energy; what nobody reserved stands last.
    assert [row[0:2] + row[4:9] for row in rows if row[1] in ("K-1", "K-3", "STRANDED")] == [
        ["S-1", "K-1", 215_000, 5_000, 0, 0, 220_000],
        ["S-1", "K-3", 118_456.78, 5_000, 0, 0, 123_456.78],
        ["S-2", "STRANDED", 0, 36_543.19, 0, 0, 36_543.19],
    ]
    assert rows[-1][1] == "STRANDED"
    assert values["Power allocation"]["J5"].value == 0


def test_totals_are_live_formulas(formulas: Any) -> None:
    assert formulas["Margin by customer"]["H5"].value == "=ROUND(SUM(H7:H10),2)"
    assert formulas["MRR bridge"]["I5"].value == "=ROUND(SUM(I7:I11),2)"
    assert formulas["Power allocation"]["I5"].value == "=ROUND(SUM(I7:I11),2)"
    assert _labelled(formulas["Summary"], "Revenue, $").value == "='Margin by customer'!F5"


def test_summary_shows_signed_and_gross_variance(values: Any) -> None:
    summary = values["Summary"]
    at_close = next(row for row in summary.iter_rows(values_only=True) if row[:2] == ("ERP vs mart", "as of close"))
    assert at_close[3:7] == (4, 1, 0, 3)
    # signed 3,500.50 - 500.00 + 500.00; gross adds them up
    assert [_cents(amount) for amount in at_close[7:11]] == [100_350_050, 100_000_000, 350_050, 450_050]
    unit = next(row for row in summary.iter_rows(values_only=True) if row[0] == "metered vs billed kWh")
    assert (unit[2], *unit[7:11]) == ("kWh", 1_500, 1_480, 20, 20)


def test_what_is_counted_has_no_places_in_rows_and_in_total() -> None:
    data = sample.signed()
    tables = sample.published(data).tables
    unit = tables["recon_results"]["recon"] == "metered_vs_billed_kwh"
    results = tables["recon_results"].assign(unit=tables["recon_results"]["unit"].mask(unit, "count"))
    summary = tables["recon_summary"].assign(unit=tables["recon_summary"]["unit"].replace("wh", "count"))
    both = {**tables, "recon_results": results, "recon_summary": summary}
    book = _open(workbook_bytes(sample.changed(data, tables=both)), values=True)
    (total,) = [row for row in book["Summary"].iter_rows() if row[0].value == "metered vs billed kWh"]
    assert [(cell.value, cell.number_format) for cell in total[7:11]] == [
        (amount, "#,##0_);(#,##0);0_)") for amount in (1_500_000, 1_480_000, 20_000, 20_000)
    ]
    (row,) = [row for row in book["Reconciliations"].iter_rows() if row[0].value == "metered vs billed kWh"]
    counted = [cell for cell in row if cell.value in (1_500_000, 1_480_000, 20_000)]
    assert [cell.number_format for cell in counted] == ["#,##0_);(#,##0);0_)"] * 3


def test_summary_shows_causes_and_close_bridge(values: Any) -> None:
    summary = values["Summary"]
    late = next(row for row in summary.iter_rows(values_only=True) if row[0] == "late posting")
    assert (late[3], _cents(late[4]), *late[5:7]) == (1, 350_050, 0, 0)
    assert _cents(_labelled(summary, "Posted now").value) == 100_000_000
    assert _cents(_labelled(summary, "Recognized in this month").value) == 100_362_350


def test_numbers_and_dates_are_real(values: Any) -> None:
    late = values["Late postings"]
    heading = {cell.value: cell.column for cell in late[6]}
    assert late.cell(7, heading["Amount, $"]).value == -3500.5
    assert late.cell(7, heading["Invoice date"]).value == datetime.datetime(2025, 7, 20)  # noqa: DTZ001 -- Excel knows no zone
    posted = late.cell(7, heading["Posted (UTC)"]).value
    assert posted == datetime.datetime(2025, 7, 20, 10, 15, 0, 123000)  # noqa: DTZ001 -- Excel knows no zone
    assert late.cell(7, heading["Quantity"]).value == 1.5


def test_headings_are_frozen_and_filtered(values: Any) -> None:
    for name in [*SHEETS[1:], *SHARED]:
        sheet = values[name]
        assert sheet.freeze_panes is not None, name
        assert sheet.auto_filter.ref, name


def test_text_from_outside_is_never_a_formula(content: bytes, formulas: Any) -> None:
    found = [
        (sheet.title, cell.coordinate, cell.value)
        for sheet in formulas
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
        and not re.match(r"^=(ROUND\(|COUNTIFS\(|IF\([FP]5=0|'(Margin by customer|MRR bridge|Power allocation)'!)", cell.value)
    ]
    assert found == []
    names = [cell.value for cell in formulas["Margin by customer"]["B"]]
    assert sample.FORMULA_NAME in names
    assert sample.MARKUP_NAME in names
    comments = [cell.value for row in formulas["Sign-off"].iter_rows() for cell in row]
    assert "=HYPERLINK(1)" in comments
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any("cmd|" in formula for sheet in sheets for formula in re.findall(r"<f>(.*?)</f>", sheet))
    assert not any("<hyperlink" in sheet for sheet in sheets)


def test_unsigned_month_is_marked_on_every_sheet_and_says_what_blocks() -> None:
    book = _open(workbook_bytes(sample.preliminary()), values=True)
    for sheet in book:
        assert str(sheet["A3"].value).startswith("PRELIMINARY – the month is blocked"), sheet.title
    told = "Open the rows, find the document, correct it at the source."
    assert _labelled(book["Summary"], "Variances are explained", 6).value == told


def test_signed_month_shows_waiver_restatement_and_trail(values: Any) -> None:
    assert all(str(sheet["A3"].value) == "Signed off, version 2" for sheet in values)
    checks = [cell.value for row in values["Checks"].iter_rows() for cell in row]
    assert "Immaterial; credit memo follows" in checks
    restated = next(values["Restatement"].iter_rows(min_row=6, max_row=6, values_only=True))
    assert restated[4:7] == (240_000, 250_000, 10_000)
    assert [row[2] for row in values["Sign-off"].iter_rows(min_row=6, values_only=True)] == ["prepare", "approve"]


@pytest.mark.parametrize(("text", "length"), [("x" * 40_000, 32_767), ("\U0001f44d\U0001f3fd" * 10_000, 32_767 - 1)])
def test_text_longer_than_a_cell_is_shortened_and_says_so(text: str, length: int) -> None:
    data = sample.preliminary()
    sample.published(data).tables["recon_causes"].loc[0, "evidence"] = text
    evidence = [cell.value for cell in _open(workbook_bytes(data), values=True)["Causes"]["N"]]
    longest = max((str(text) for text in evidence), key=len)
    # Excel counts in units of UTF-16, of which such a character has four.
    assert length - 4 < len(longest.encode("utf-16-le")) // 2 <= length
    assert longest.replace("\U0001f44d\U0001f3fd", "").count("\U0001f44d") == 0
    assert longest.endswith("(shortened; the whole text stands in the CSV)")


def test_amount_beyond_exact_numbers_is_written_as_text() -> None:
    data = sample.preliminary()
    sample.published(data).tables["invoice_lines"].loc[1, "amount_cents"] = -(2**53) - 1
    late = _open(workbook_bytes(data), values=True)["Late postings"]
    assert "(90,071,992,547,409.93)" in [cell.value for cell in late["J"]]


def test_checks_that_do_not_hold_come_first_under_their_titles_with_figures_in_words() -> None:
    checks = _open(workbook_bytes(sample.preliminary()), values=True)["Checks"]
    rows = [[cell.value for cell in row] for row in checks.iter_rows(min_row=6, max_row=8, max_col=7)]
    assert [row[:3] for row in rows] == [
        ["Variances are explained", "does not hold", "sign off"],
        ["Meters are complete", "does not hold", "warn"],
        ["Allocated plus stranded is billed", "holds", "publish"],
    ]
    assert rows[0][4] == "unexplained: ($100.00); rows: 1"
    assert rows[0][6] == "variances_are_explained"


def test_rows_in_breach_come_first_and_evidence_is_words(values: Any) -> None:
    headings = {cell.value: cell.column for cell in values["Reconciliations"][5]}
    status = [row[headings["Status"] - 1] for row in values["Reconciliations"].iter_rows(min_row=6, values_only=True)]
    # Three rows in breach as of close and two of all postings.
    assert status == ["breach"] * 5 + ["within tolerance"] + ["matched"] * 4
    causes = {cell.value: cell.column for cell in values["Causes"][5]}
    assert values["Causes"].cell(6, causes["Evidence"]).value == "lines: INV-1/1; formula: =1+1"


def test_wrapped_text_has_the_height_that_it_needs_and_text_that_looks_like_a_formula_a_quote() -> None:
    data = sample.preliminary()
    sample.published(data).tables["recon_causes"].loc[0, "explanation"] = "a sentence of many words " * 12
    book = _open(workbook_bytes(data), values=True)
    heights = {row: each.height for row, each in book["Causes"].row_dimensions.items() if each.height}
    # 300 characters in a column of 60 are six lines.
    assert 6 * 13.5 <= max(heights.values()) < 7 * 13.5
    quoted = [cell.value for row in book["Margin by customer"].iter_rows() for cell in row if cell.quotePrefix]
    assert sorted(quoted) == [sample.FORMULA_NAME, "@Umlaut Größe & Söhne"]


def test_every_sheet_is_printed_on_the_width_of_a_page_or_of_two_where_that_would_be_too_small(values: Any) -> None:
    across = {}
    for sheet in values:
        assert sheet.print_area, sheet.title
        is_fitted = bool(sheet.sheet_properties.pageSetUpPr and sheet.sheet_properties.pageSetUpPr.fitToPage)
        # A narrow sheet stands at full size: fitted, some programs would blow it up to the width of the page.
        assert is_fitted or sheet.page_setup.scale is None, sheet.title
        across[sheet.title] = int(sheet.page_setup.fitToWidth or 1) if is_fitted else 1
        assert not is_fitted or sheet.page_setup.fitToHeight == 0, sheet.title
    assert {name for name, pages in across.items() if pages > 1} == {"Sign-off"}
    assert values["Causes"].print_area.endswith("$L$12")


def test_of_a_long_sheet_the_first_rows_are_printed_upright_and_it_says_so() -> None:
    data = sample.preliminary()
    allocation = sample.published(data).tables["power_allocation"]
    many = pd.concat([allocation] * 40, ignore_index=True).assign(contract_id=[f"K-{number}" for number in range(360)])
    sample.published(data).tables["power_allocation"] = many
    sheet = _open(workbook_bytes(data), values=True)["Power allocation"]
    assert len(many) == 360
    # Rows 1 to 6 stand above the data and are repeated on each page.
    assert sheet.print_area.replace("$", "") == "'Power allocation'!A1:J246"
    assert (sheet.page_setup.orientation, sheet.print_title_rows) == ("portrait", "$1:$6")
    assert "Printed are the first 240 of 360 rows; clear the print area for all of them" in sheet["A2"].value


def test_the_names_of_checks_and_the_evidence_of_causes_stand_on_the_screen_alone(values: Any) -> None:
    for name, last in (("Causes", "Explanation"), ("Checks", "What to do")):
        headings = [cell.value for cell in values[name][5]]
        printed = values[name].print_area.split(":")[1].split("$")[1]
        assert headings[openpyxl.utils.column_index_from_string(printed) - 1] == last
