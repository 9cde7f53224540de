"""The cloud part of a pack: exact figures, the chart of days with its marks, sheets; nothing of a stream that is not there."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import altair as alt
import jsonschema
import openpyxl
import pandas as pd
import pytest
import vl_convert

from revenue_integrity.reports import charts, cloud_figures, cloud_page, cloud_sheets, pack, page
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.reports.workbook import workbook_bytes
from revenue_integrity_tests.reports import sample, sample_cloud
from revenue_integrity_tests.reports.test_page import parsed

Make = Callable[[], PackData]


def words(data: PackData) -> str:
    """Return the text of a page on one line."""
    return " ".join(" ".join(parsed(page.page(data)).text).split())


def book_of(data: PackData, *, values: bool = True) -> Any:
    """Return the workbook, read back."""
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(data)), data_only=values)


# Figures


def test_costs_add_up_exactly_and_stand_beside_the_month_before() -> None:
    data = sample_cloud.cloud()
    tenants = cloud_figures.cost_lines(data, ("tenant_id",))
    assert [(line.key, line.cost, line.before, line.change) for line in tenants] == [
        (("ACME",), Decimal("4460.150000000029"), Decimal(4400), Decimal("60.150000000029")),
        (("GLOBEX",), Decimal("307.5"), Decimal(100), Decimal("207.5")),
    ]
    total = cloud_figures.month_total(tenants)
    assert total is not None
    assert (total.cost, total.before, total.rows) == (sample_cloud.TOTAL, Decimal(4500), 99)
    # Only A-1 says an amortised cost.
    assert total.effective == Decimal("3000.15")


def test_what_cost_something_only_before_is_a_line_with_nothing() -> None:
    accounts = {line.key: line for line in cloud_figures.cost_lines(sample_cloud.cloud(), cloud_figures.ACCOUNT)}
    gone, new = accounts["GLOBEX", "Z-9"], accounts["GLOBEX", "G-1"]
    assert (gone.cost, gone.change, gone.change_share) == (0, Decimal(-100), Decimal(-1))
    # Nothing to compare with: a share of 0 is none.
    assert (new.before, new.change, new.change_share) == (0, Decimal("307.5"), None)


def test_without_a_month_before_there_is_no_change() -> None:
    data = sample_cloud.first_month()
    assert {line.before for line in cloud_figures.cost_lines(data, ("tenant_id",))} == {None}
    assert "first month shown" in words(data)
    assert "The month before is not published" in words(data)


def test_largest_accounts_have_lines_and_the_rest_is_one() -> None:
    acme, globex = cloud_figures.daily_costs(sample_cloud.cloud())
    assert (acme.title, globex.title) == ("ACME", "GLOBEX")
    labels = [label for label, _ in acme.series]
    assert labels == [f"A-1 {sample.MARKUP_NAME}", f"A-2 {sample.FORMULA_NAME}", *sample_cloud.SMALL[:6], "4 other accounts"]
    lines = dict(acme.series)
    assert lines["4 other accounts"][date(2025, 6, 1)] == 4
    # A-2 has no row on the last day, on which others of the tenant have.
    assert lines[labels[1]][date(2025, 6, 30)] == 0
    assert sum(sum(by_day.values()) for _, by_day in acme.series) == acme.total == Decimal("4460.150000000029")
    assert acme.incomplete == []
    assert globex.incomplete == [date(2025, 6, 29), date(2025, 6, 30)]


def test_restated_days_are_marked_on_their_line_with_delta_and_cause() -> None:
    acme, globex = cloud_figures.daily_costs(sample_cloud.cloud())
    assert [(each.series.split()[0], each.day.day, each.delta, dict(each.by_cause)) for each in acme.restated] == [
        ("4", 1, Decimal("0.4"), {"late": Decimal("0.4")}),
        ("A-1", 3, Decimal("25.5"), {"late": Decimal("25.5")}),
        ("A-2", 5, Decimal("-1.75"), {"correction": Decimal("-1.25"), "duplicate_removed": Decimal("-0.5")}),
    ]
    assert globex.restated == []


def test_day_that_lost_its_last_row_keeps_its_mark() -> None:
    data = sample_cloud.cloud()
    gone = (
        data.tables["cloud_restatement"]
        .iloc[:1]
        .assign(account_id="GONE", new_cost=Decimal(0), delta=Decimal(-5), cause="deletion")
    )
    acme = cloud_figures.daily_costs(replace(data, tables={**data.tables, "cloud_restatement": gone}))[0]
    (mark,) = acme.restated
    # It is the smallest of all, so it is one of the others.
    assert (mark.series, mark.delta) == ("5 other accounts", -5)


def test_ten_thousand_accounts_are_nine_lines() -> None:
    count = 10_000
    frame = pd.DataFrame(
        {
            "month": pd.Timestamp(sample.MONTH),
            "tenant_id": "ACME",
            "account_id": [f"A-{number:05d}" for number in range(count)],
            "usage_date": pd.Timestamp(2025, 6, 1),
            "total_cost": [Decimal(number) for number in range(count)],
            "event_count": 1,
            "data_complete": True,
        }
    )
    (acme,) = cloud_figures.daily_costs(replace(sample_cloud.cloud(), tables={"daily_account_cost": frame}))
    assert [label for label, _ in acme.series] == [f"A-{number:05d}" for number in range(9999, 9991, -1)] + [
        "9992 other accounts"
    ]
    # 0 + 1 + ... + 9,991
    assert acme.series[-1][1][date(2025, 6, 1)] == 9991 * 9992 // 2


def test_tenants_beyond_the_named_ones_share_a_chart() -> None:
    frame = pd.concat(
        [sample_cloud.daily().iloc[:1].assign(tenant_id=f"T-{number}", total_cost=Decimal(number)) for number in range(1, 10)]
    )
    found = cloud_figures.daily_costs(replace(sample_cloud.cloud(), tables={"daily_account_cost": frame}))
    assert [each.title for each in found] == ["T-9", "T-8", "T-7", "T-6", "T-5", "4 other tenants"]
    assert [label for label, _ in found[-1].series] == [f"T-{number} / A-1" for number in (4, 3, 2, 1)]


def test_invoices_in_breach_come_first() -> None:
    data = sample_cloud.cloud()
    invoices = cloud_figures.invoices(data)
    assert invoices is not None
    assert invoices["status"].tolist() == ["breach", "matched"]
    total = cloud_figures.invoice_total(data)
    assert total is not None
    assert (total.left, total.signed, total.breaches) == (Decimal("4450.150000000029"), Decimal("-44.03"), 1)


def test_what_was_read_is_what_became_of_it() -> None:
    *parts, read = cloud_figures.conservation(sample_cloud.cloud())
    assert (read.name, read.is_total) == ("read", True)
    assert sum(each.rows for each in parts) == read.rows == 111
    assert sum(each.cost for each in parts) == read.cost == Decimal("4871.155000000029")
    assert cloud_figures.conservation(replace(sample_cloud.cloud(), checks=sample.checks())) == []


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        ([], ""),
        ([1], "2025-06-01"),
        ([1, 2, 3, 5, 7, 8], "2025-06-01 – 2025-06-03, 2025-06-05, 2025-06-07 – 2025-06-08"),
    ],
)
def test_days_are_written_as_ranges(days: list[int], shown: str) -> None:
    assert cloud_page.day_ranges([date(2025, 6, day) for day in days]) == shown


# Chart and page


def test_every_chart_is_one_by_the_schema_of_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[dict[str, Any]] = []
    draw = vl_convert.vegalite_to_svg

    def drawing(spec: dict[str, Any]) -> str:
        drawn.append(spec)
        return draw(spec)

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", drawing)
    figures_of_month = json.loads(pack.pack_files(sample_cloud.both())[pack.MANIFEST])
    page.page(sample.signed())
    link = {"status": "open", "version": None, **figures_of_month["headline"]}
    page.index_page([page.IndexRow.of(month, "a.html", link) for month in (date(2025, 5, 1), date(2025, 6, 1))])
    assert len(drawn) > 20
    for spec in drawn:
        # The configuration of all charts says more than the schema knows: no background at all.
        alt.Chart.from_dict({**spec, "config": {}}, validate=True)
    with pytest.raises(jsonschema.ValidationError):
        alt.Chart.from_dict({**drawn[0], "config": {}, "width": "wide"}, validate=True)


def test_chart_marks_restated_and_incomplete_days() -> None:
    acme, globex = cloud_figures.daily_costs(sample_cloud.cloud())
    drawn, other = charts.daily_costs(acme, "a"), charts.daily_costs(globex, "g")
    marks = re.compile(rf'<path[^>]*fill="{charts.RED}"[^>]*stroke="#ffffff"')
    assert len(marks.findall(drawn)) == 3
    assert marks.findall(other) == []
    assert "Restated by 24.15 in all on 2025-06-01, 2025-06-03, 2025-06-05." in drawn
    assert all(cause in drawn for cause in ("late", "correction", "duplicate removed"))
    assert "Not complete: 2025-06-29, 2025-06-30." in other
    assert other.count('fill="#e3e8ec"') == 2
    assert "<script" not in drawn


@pytest.mark.parametrize(
    ("make", "views"),
    [
        (sample.signed, ["overview", "controls"]),
        (sample_cloud.cloud, ["cloud", "controls"]),
        (sample_cloud.both, ["overview", "cloud", "controls"]),
        (sample_cloud.first_month, ["cloud", "controls"]),
    ],
)
def test_page_has_the_views_of_the_streams_that_it_shows(make: Make, views: list[str]) -> None:
    structure = parsed(page.page(make()))
    sections = [found["id"] for tag, found in structure.tags if tag == "section" and found.get("class") == "view"]
    assert sections == views
    radios = [found for tag, found in structure.tags if tag == "input"]
    assert [radio["id"] for radio in radios] == [f"view-{view}" for view in views]
    assert [("checked" in radio) for radio in radios] == [True] + [False] * (len(views) - 1)
    assert [found["for"] for tag, found in structure.tags if tag == "label"] == [f"view-{view}" for view in views]
    identifiers = [found["id"] for _, found in structure.tags if "id" in found]
    assert len(identifiers) == len(set(identifiers))


def test_page_of_cloud_costs_alone_says_nothing_of_revenue() -> None:
    text = words(sample_cloud.cloud())
    assert not re.search("Margin Overview|Close bridge|Late postings|MRR|From expected to billed|Posted late", text)
    assert "Close pack · cloud" in text


def test_page_shows_costs_to_the_cent() -> None:
    text = words(sample_cloud.cloud())
    assert "Cloud cost $4,767.65 $267.65 (+5.9 %) on the month before" in text
    assert "Days not complete 2 tenant-days complete: 58 of 60" in text
    assert "Restated $24.15" in text
    assert "Charges less invoices ($44.03) gross $44.03; 1 of 2 invoices in breach" in text
    assert "Kept aside $12.50" in text
    assert "GLOBEX 30 2 20.50 2025-06-29 – 2025-06-30" in text
    assert "late 2 25.90" in text
    assert "Waiting for an invoice: 30 charges with 307.50 US dollars" in text
    assert "breach gross $44.03" in text
    assert "000000" not in re.sub("[0-9a-f]{64}", "", text)


def test_controls_show_the_invoices_beside_the_other_reconciliations() -> None:
    text = words(sample_cloud.both())
    assert "cloud invoices current usd 2 1 0 1 4,450.15 4,494.18 (44.03) 44.03" in text
    assert "ERP vs mart" in text


def test_names_with_markup_are_text() -> None:
    html = page.page(sample_cloud.both())
    structure = parsed(html)
    assert not [tag for tag, _ in structure.tags if tag == "script"]
    assert "<script" not in html.lower()
    assert f"A-1 {sample.MARKUP_NAME}" in "".join(structure.text)
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", html)


def test_later_months_do_not_show() -> None:
    data = sample_cloud.cloud()
    cut = {name: frame[frame["month"] <= pd.Timestamp(sample.MONTH)] for name, frame in data.history.items()}
    assert pack.pack_files(data) == pack.pack_files(replace(data, history=cut))
    assert "987,654" not in page.page(data)


# Workbook and files


SHEETS = ["Cloud month", "Cloud days", "Cloud restatements", "Cloud invoices"]


def test_sheets_are_those_of_the_streams() -> None:
    assert not [name for name in book_of(sample.signed()).sheetnames if "Cloud" in name]
    alone = book_of(sample_cloud.cloud()).sheetnames
    assert alone == ["Summary", *SHEETS, "Restatement", "Checks", "Sign-off", "Cloud assumptions"]
    together = book_of(sample_cloud.both()).sheetnames
    assert set(together) == {*book_of(sample.signed()).sheetnames, *SHEETS, "Cloud assumptions"}


def test_totals_are_the_exact_ones_rounded_once() -> None:
    book = book_of(sample_cloud.cloud())
    labelled = {row[0]: row[1] for row in book["Summary"].iter_rows(values_only=True)}
    assert labelled["Cloud cost, $"] == 4767.65
    assert labelled["Restated since first published, $"] == 24.15
    assert labelled["Charges less invoices, $"] == -44.03
    month = book["Cloud month"]
    # cost, month before, change, effective, events
    assert [month.cell(5, column).value for column in range(7, 12)] == [4767.65, 4500, 267.65, 3000.15, 99]
    assert book["Cloud days"]["D5"].value == 4767.65
    # Day 1: 100.005 + 50.000000000001 + 10 + 10.25
    assert book["Cloud days"]["E5"].value == 170.26
    assert book["Cloud restatements"]["I5"].value == 24.15


def test_days_are_in_colours() -> None:
    days = book_of(sample_cloud.cloud())["Cloud days"]
    rows = {days.cell(row, 2).value: row for row in range(7, days.max_row + 1)}
    assert len(rows) == 13
    heading = {cell.value: cell.column for cell in days[6]}
    colours = {
        (account, day): days.cell(rows[account], heading[f"06-{day:02d}, $"]).font.color
        for account, day in (("A-1", 3), ("A-1", 4), ("S-10", 1), ("G-1", 29), ("G-1", 28))
    }
    shown = {key: colour.rgb if colour and colour.type == "rgb" else None for key, colour in colours.items()}
    red, grey = "FFB3402E", "FF6B7A86"
    assert shown == {("A-1", 3): red, ("A-1", 4): None, ("S-10", 1): red, ("G-1", 29): grey, ("G-1", 28): None}
    assert days.cell(rows["A-2"], heading["06-30, $"]).value is None


def test_too_many_rows_become_one_a_tenant_and_the_total_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_sheets, "MOST_ACCOUNTS", 2)
    monkeypatch.setattr(cloud_sheets, "MOST_ROWS", 3)
    book = book_of(sample_cloud.cloud())
    days = book["Cloud days"]
    assert days["D5"].value == 4767.65
    assert [days.cell(row, 2).value for row in range(7, days.max_row + 1)] == ["A-1", "A-2", "10 others", "1 others"]
    assert "csv/daily_account_cost.csv" in days["A2"].value
    # The other accounts of ACME are restated on the first day.
    assert days.cell(9, 5).font.color.rgb == "FFB3402E"
    month = book["Cloud month"]
    assert [month.cell(5, column).value for column in range(7, 12)] == [4767.65, 4500, 267.65, 3000.15, 99]
    assert [month.cell(row, 2).value for row in range(7, month.max_row + 1)] == ["A-1", "A-2", "A-1", "10 others", "2 others"]
    restated = book["Cloud restatements"]
    assert (restated["I5"].value, restated.cell(10, 2).value) == (24.15, "1 others")


def test_text_from_outside_is_never_a_formula() -> None:
    formulas = [
        cell.value
        for sheet in book_of(sample_cloud.both(), values=False)
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]
    assert not [formula for formula in formulas if "cmd" in formula or formula == "=1+1"]
    invoices = [cell.value for cell in book_of(sample_cloud.cloud())["Cloud invoices"]["C"]]
    assert "=1+1" in invoices


@pytest.mark.parametrize("make", [sample_cloud.cloud, sample_cloud.both, sample_cloud.first_month])
def test_same_data_give_the_same_bytes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack.pack_files(make())
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert pack.pack_files(make()) == first


def test_order_of_rows_decides_nothing() -> None:
    data = sample_cloud.cloud()
    turned = {name: frame.iloc[::-1].reset_index(drop=True) for name, frame in data.tables.items()}
    first, second = page.page(data), page.page(replace(data, tables=turned))
    assert first == second


def test_csv_holds_exact_costs_and_text_that_does_not_run() -> None:
    files = pack.pack_files(sample_cloud.cloud())
    assert {f"csv/{name}.csv" for name in sample_cloud.tables()} <= set(files)
    daily = list(csv.DictReader(io.StringIO(files["csv/daily_account_cost.csv"].decode())))
    assert len(daily) == 99
    assert sum(Decimal(row["total_cost"]) for row in daily) == sample_cloud.TOTAL
    month = list(csv.DictReader(io.StringIO(files["csv/cloud_month.csv"].decode())))
    assert {row["service_name"] for row in month} == {"Compute", "'@Storage", "Network"}
    assert f"'{sample.FORMULA_NAME}" in {row["account_name"] for row in month}


def test_manifest_and_index_show_what_there_is(tmp_path: Path) -> None:
    pack.write_pack(sample_cloud.cloud(), tmp_path / "2025-06")
    headline = json.loads((tmp_path / "2025-06" / "manifest.json").read_text())["headline"]
    assert headline == {"cloud_cost": "4767.650000000029", "invoice_variance": "-44.03", "failed_checks": 2}
    alone = pack.write_index(pack.index_rows(tmp_path), tmp_path).read_text()
    assert "4,767.65" in alone
    assert "(44.03)" in alone
    assert "Revenue, $" not in alone

    pack.write_pack(replace(sample.signed(), month=date(2025, 5, 1)), tmp_path / "2025-05")
    text = " ".join("".join(parsed(pack.write_index(pack.index_rows(tmp_path), tmp_path).read_text()).text).split())
    assert "Revenue, $" in text
    assert "Cloud cost, $" in text
