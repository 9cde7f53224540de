"""The cloud part of a pack: exact figures, the chart of days with its marks, sheets; nothing of a stream that is not there."""

import csv
import io
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

from revenue_integrity.model.report import Published
from revenue_integrity.reports import chart_points, charts, index, manifest, pack, page
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.reports.workbook import workbook_bytes
from revenue_integrity.streams.cloud import report, report_rows
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


def cloud() -> Published:
    """Return the published month of cloud costs."""
    return sample.published(sample_cloud.cloud())


def of(published: Published, *keys: str) -> dict[str, dict[str, Any]]:
    """Return the ranked costs by some keys, by their labels."""
    frame = report_rows.ranked(*keys)(published)
    assert frame is not None
    return {row["label"]: row for row in frame.to_dict("records")}


def lines(published: Published) -> dict[str, dict[str, dict[int, Decimal]]]:
    """Return the costs by day of each line of each chart of days."""
    frame = report_rows.daily(published)
    assert frame is not None
    found: dict[str, dict[str, dict[int, Decimal]]] = {title: {} for title in frame["title"]}
    for row in frame[frame["account"].notna()].to_dict("records"):
        found[row["title"]].setdefault(row["account"], {})[row["day"]] = row["cost"]
    return found


def test_costs_add_up_exactly_and_stand_beside_the_month_before() -> None:
    tenants = of(cloud(), "tenant_id")
    assert [(name, row["cost"], row["before"], row["change"]) for name, row in tenants.items()] == [
        ("ACME", Decimal("4460.150000000029"), Decimal(4400), Decimal("60.150000000029")),
        ("GLOBEX", Decimal("307.5"), Decimal(100), Decimal("207.5")),
    ]
    assert sum(row["cost"] for row in tenants.values()) == sample_cloud.TOTAL
    assert sum(row["rows"] for row in tenants.values()) == 99


def test_what_cost_something_only_before_is_a_line_with_nothing() -> None:
    accounts = of(cloud(), *report_rows.ACCOUNT)
    gone, new = accounts["GLOBEX / Z-9"], accounts["GLOBEX / G-1"]
    assert (gone["cost"], gone["change"], gone["change_share"]) == (0, Decimal(-100), Decimal(-1))
    # Nothing to compare with: a share of 0 is none.
    assert (new["before"], new["change"], new["change_share"]) == (0, Decimal("307.5"), None)


def test_without_a_month_before_there_is_no_change() -> None:
    data = sample_cloud.first_month()
    assert {row["before"] for row in of(sample.published(data), "tenant_id").values()} == {None}
    assert "first month shown" in words(data)
    assert "The month before is not published" in words(data)


def test_largest_accounts_have_lines_and_the_rest_is_one() -> None:
    found = lines(cloud())
    assert list(found) == ["ACME", "GLOBEX"]
    acme = found["ACME"]
    labels = [f"A-1 {sample.MARKUP_NAME}", f"A-2 {sample.FORMULA_NAME}", *sample_cloud.SMALL[:6], "4 other accounts"]
    assert list(acme) == labels
    assert acme["4 other accounts"][1] == 4
    # A-2 has no row on the last day, on which others of the tenant have.
    assert acme[labels[1]][30] == 0
    assert sum(sum(by_day.values()) for by_day in acme.values()) == Decimal("4460.150000000029")
    frame = report_rows.daily(cloud())
    assert frame is not None
    incomplete = frame[frame["is_incomplete"].astype(bool)]
    assert {(row["title"], row["day"]) for row in incomplete.to_dict("records")} == {("GLOBEX", 29), ("GLOBEX", 30)}


def test_restated_days_are_marked_on_their_line_with_delta_and_cause() -> None:
    frame, changes = report_rows.daily(cloud()), report_rows.restated_days(cloud())
    assert frame is not None
    assert changes is not None
    marked = frame[frame["is_restated"].astype(bool)]
    assert [(row["account"].split()[0], row["day"]) for row in marked.to_dict("records")] == [("4", 1), ("A-1", 3), ("A-2", 5)]
    assert list(changes.itertuples(index=False, name=None)) == [
        ("ACME", 1, "late", Decimal("0.4")),
        ("ACME", 3, "late", Decimal("25.5")),
        ("ACME", 5, "correction", Decimal("-1.25")),
        ("ACME", 5, "duplicate removed", Decimal("-0.5")),
    ]


def test_day_that_lost_its_last_row_keeps_its_mark() -> None:
    ledger = sample_cloud.restatements().iloc[:1]
    gone = ledger.assign(account_id="GONE", new_cost=Decimal(0), delta=Decimal(-5), cause="deletion")
    changed = sample.published(sample.changed(sample_cloud.cloud(), tables={**sample_cloud.tables(), "cloud_restatement": gone}))
    frame = report_rows.daily(changed)
    assert frame is not None
    (mark,) = frame[frame["is_restated"].astype(bool)].to_dict("records")
    # It is the smallest of all, so it is one of the others, which cost nothing on the third day.
    assert (mark["account"], mark["day"], mark["cost"]) == ("5 other accounts", 3, 0)


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
    found = lines(sample.published(sample.changed(sample_cloud.cloud(), tables={"daily_account_cost": frame})))
    largest = [f"A-{number:05d}" for number in range(9999, 9991, -1)]
    assert list(found["ACME"]) == [*largest, "9992 other accounts"]
    # 0 + 1 + ... + 9,991
    assert found["ACME"]["9992 other accounts"][1] == 9991 * 9992 // 2


def test_tenants_beyond_the_named_ones_share_a_chart() -> None:
    frame = pd.concat(
        [sample_cloud.daily().iloc[:1].assign(tenant_id=f"T-{number}", total_cost=Decimal(number)) for number in range(1, 10)]
    )
    found = lines(sample.published(sample.changed(sample_cloud.cloud(), tables={"daily_account_cost": frame})))
    assert list(found) == ["T-9", "T-8", "T-7", "T-6", "T-5", "4 other tenants"]
    assert list(found["4 other tenants"]) == [f"T-{number} / A-1" for number in (4, 3, 2, 1)]


def test_invoices_in_breach_come_first() -> None:
    text = words(sample_cloud.cloud())
    assert text.index("Cirrus 2025-06 C-6 3,000.15 3,044.18 (44.03) breach") < text.index("Nimbus 2025-06 =1+1")


def test_what_was_read_is_what_became_of_it() -> None:
    frame = report_rows.conservation(cloud())
    assert frame is not None
    *parts, read = frame.to_dict("records")
    assert (read["name"], read["is_sum"]) == ("read", True)
    assert sum(each["rows"] for each in parts) == read["rows"] == 111
    assert sum(each["cost"] for each in parts) == read["cost"] == Decimal("4871.155000000029")
    assert report_rows.conservation(sample.published(sample.changed(sample_cloud.cloud(), checks={}))) is None


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        ([], ""),
        ([1], "2025-06-01"),
        ([1, 2, 3, 5, 7, 8], "2025-06-01 – 2025-06-03, 2025-06-05, 2025-06-07 – 2025-06-08"),
    ],
)
def test_days_are_written_as_ranges(days: list[int], shown: str) -> None:
    assert report_rows.day_ranges([date(2025, 6, day) for day in days]) == shown


# Chart and page


def test_every_chart_is_one_by_the_schema_of_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[dict[str, Any]] = []
    draw = vl_convert.vegalite_to_svg

    def drawing(spec: dict[str, Any]) -> str:
        drawn.append(spec)
        return draw(spec)

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", drawing)
    pack.pack_files(sample_cloud.both())
    page.page(sample.signed())
    headline = {"cloud_cost": Decimal("12.5"), "revenue_cents": 5, "power_cost_cents": 2, "margin_cents": 3, "variance_cents": -1}
    shown = {"all": [index.Shown.of(part.stream, part.report) for part in sample_cloud.both().parts]}
    rows = [index.IndexRow("all", date(2025, month, 1), "a.html", "open", None, 0, headline) for month in (5, 6)]
    index.index_page(rows, shown, sample.DOLLARS)
    assert len(drawn) > 20
    for spec in drawn:
        # The configuration of all charts says more than the schema knows: no background at all.
        alt.Chart.from_dict({**spec, "config": {}}, validate=True)
    with pytest.raises(jsonschema.ValidationError):
        alt.Chart.from_dict({**drawn[0], "config": {}, "width": "wide"}, validate=True)


def test_chart_marks_restated_and_incomplete_days() -> None:
    acme, globex = (each.svg for each in charts.pictures(report.DAILY, cloud(), "daily"))
    marks = re.compile(rf'<path[^>]*fill="{chart_points.COLOURS["red"]}"[^>]*stroke="#ffffff"')
    assert len(marks.findall(acme)) == 3
    assert marks.findall(globex) == []
    assert "Restated: 1, 3, 5. Restated 24.15 in all." in acme
    assert all(cause in acme for cause in ("late", "correction", "duplicate removed"))
    assert "Not complete: 29, 30." in globex
    assert globex.count(f'fill="{chart_points.SHADED}"') == 2
    assert "<script" not in acme


@pytest.mark.parametrize(
    ("make", "views"),
    [
        (sample.signed, ["signing", "overview", "controls"]),
        (sample_cloud.cloud, ["signing", "cloud", "controls"]),
        (sample_cloud.both, ["signing", "overview", "cloud", "controls"]),
        (sample_cloud.first_month, ["signing", "cloud", "controls"]),
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
    assert not re.search("Margin Overview|Close bridge|Late postings|MRR|From expected|Posted late", text)
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
    assert "Waiting for an invoice: 30 charges with $307.50" in text
    assert "Invoices tie cloud recon results Breaches 1 none does not hold" in text
    assert "000000" not in re.sub("[0-9a-f]{64}", "", text)


def test_controls_show_the_invoices_beside_the_other_reconciliations() -> None:
    text = words(sample_cloud.both())
    assert "cloud invoices current USD 2 1 0 1 4,450 4,494 (44.03) 44.03 (0.98 %)" in text
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
    cut = {name: frame[frame["month"] <= pd.Timestamp(sample.MONTH)] for name, frame in cloud().trends.items()}
    assert pack.pack_files(data) == pack.pack_files(sample.changed(data, trends=cut))
    assert "987,654" not in page.page(data)


def test_costs_by_region_and_pricing_model_add_up_to_the_month_with_the_names_of_their_look_ups() -> None:
    published = cloud()
    for dimension, expected in (
        ("region", [("eu-1", "Frankfurt", "3460.150000000029"), ("us-1", "", "1000"), ("UNKNOWN", "", "307.5")]),
        ("pricing_model", [("on_demand", "Pay as you go", "4460.150000000029"), ("reserved", "", "307.5")]),
    ):
        frame = report_rows.ranked_by(dimension)(published)
        assert frame is not None
        assert [(row["label"], row["name"], row["cost"]) for row in frame.to_dict("records")] == [
            (label, name, Decimal(cost)) for label, name, cost in expected
        ]
    shown = words(sample_cloud.cloud())
    assert "Frankfurt" in shown
    assert "Pay as you go" in shown


def test_days_due_are_in_time_late_or_not_there_by_tenant() -> None:
    frame = report_rows.days_due(cloud())
    assert frame is not None
    counted = ("tenant", "days", "in_time", "late", "missing", "which")
    assert [tuple(row[name] for name in counted) for row in frame.to_dict("records")] == [
        ("ACME", 30, 29, 1, 0, "2025-06-10"),
        ("GLOBEX", 30, 28, 0, 2, "2025-06-29 – 2025-06-30"),
    ]
    sheet = book_of(sample_cloud.cloud())["Cloud deliveries"]
    assert [cell.value for cell in sheet[6]][:6] == ["Tenant", "Day (UTC)", "Due", "Available", "In time", "Complete"]
    assert sheet.max_row == 66


def test_days_that_are_not_due_yet_are_not_told_as_missing() -> None:
    # 60 days of two tenants, of which the check counted those up to the 29th as due: ACME's 30th was in time before that.
    checks = {"deliveries_are_in_time": {"days_due": 59}}
    published = replace(cloud(), checks=checks)
    frame = report_rows.days_due(published)
    assert frame is not None
    counted = ("tenant", "in_time", "missing", "not_due", "which")
    assert [tuple(row[name] for name in counted) for row in frame.to_dict("records")] == [
        ("ACME", 29, 0, 0, "2025-06-10"),
        ("GLOBEX", 28, 1, 1, "2025-06-29"),
    ]
    listed = report_rows.deliveries(published)
    assert listed is not None
    told = listed[listed["tenant_id"] == "GLOBEX"].sort_values("usage_date")["tone"].tolist()
    assert told == [*[""] * 28, "bad", ""]


def test_a_month_of_an_earlier_release_has_no_dimensions_and_no_days_due() -> None:
    found = {name: frame for name, frame in sample_cloud.tables().items() if name not in ("cloud_cost_by", "cloud_days")}
    data = sample.changed(sample_cloud.cloud(), tables=found)
    assert not {"Cloud cost by", "Cloud deliveries"} & set(book_of(data).sheetnames)
    assert words(data).count("Not available.") >= 3


# Workbook and files


SHEETS = ["Cloud month", "Cloud cost by", "Cloud days", "Cloud deliveries", "Cloud restatements", "Cloud invoices"]


def test_sheets_are_those_of_the_streams() -> None:
    assert not [name for name in book_of(sample.signed()).sheetnames if "Cloud" in name]
    alone = book_of(sample_cloud.cloud()).sheetnames
    assert alone == ["Summary", "Cloud invoices", *SHEETS[:5], "Restatement", "Checks", "Sign-off", "Cloud assumptions"]
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
    monkeypatch.setattr(report_rows, "MOST_ACCOUNTS", 2)
    data = sample_cloud.cloud()
    (part,) = data.parts
    sheets = tuple(replace(each, most=3) if each.most else each for each in part.report.sheets)
    fewer = replace(part.report, sheets=sheets, headlines=())
    book = book_of(replace(data, parts=[replace(part, report=fewer)]))
    days = book["Cloud days"]
    assert days["D5"].value == 4767.65
    assert [days.cell(row, 2).value for row in range(7, days.max_row + 1)] == ["A-1", "A-2", "10 others", "1 others"]
    assert "csv/daily_account_cost.csv" in days["A2"].value
    # The other accounts of ACME are restated on the first day.
    assert days.cell(9, 5).font.color.rgb == "FFB3402E"
    by_service = book["Cloud month"]
    assert [by_service.cell(5, column).value for column in range(7, 12)] == [4767.65, 4500, 267.65, 3000.15, 99]
    shown = [by_service.cell(row, 2).value for row in range(7, by_service.max_row + 1)]
    assert shown == ["A-1", "A-2", "A-1", "10 others", "2 others"]
    assert "The 3 first services of accounts" in by_service["A2"].value
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
    invoices = [cell.value for cell in book_of(sample_cloud.cloud())["Cloud invoices"]["E"]]
    assert "=1+1" in invoices


@pytest.mark.parametrize("make", [sample_cloud.cloud, sample_cloud.both, sample_cloud.first_month])
def test_same_data_give_the_same_bytes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack.pack_files(make())
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert pack.pack_files(make()) == first


def test_order_of_rows_decides_nothing() -> None:
    data = sample_cloud.cloud()
    turned = {name: frame.iloc[::-1].reset_index(drop=True) for name, frame in data.tables.items()}
    first, second = page.page(data), page.page(sample.changed(data, tables=turned))
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
    shown = {
        data.book: [index.Shown.of(part.stream, part.report) for part in data.parts]
        for data in (sample.signed(), sample_cloud.cloud())
    }

    def text() -> str:
        html = index.index_page(index.index_rows(tmp_path), shown, sample.DOLLARS)
        return " ".join(" ".join(parsed(html).text).split())

    pack.write_pack(sample_cloud.cloud(), tmp_path / "cloud" / "2025-06")
    headline = manifest.read(tmp_path / "cloud" / "2025-06")["headline"]
    assert headline == {"cloud_cost": "4767.650000000029", "invoice_variance": "-44.03", "failed_checks": 2}
    assert "Months of cloud" in text()
    assert "blocked 4,768 (44) 2" in text()
    assert "Revenue, $" not in text()

    pack.write_pack(replace(sample.signed(), month=date(2025, 5, 1)), tmp_path / "colocation" / "2025-05")
    assert "Revenue, $" in text()
    assert "Cloud cost, $" in text()
    # What a release before books wrote stands where it stood.
    pack.write_pack(sample.signed(), tmp_path / "2025-06")
    assert [(row.book, row.link.count("/")) for row in index.index_rows(tmp_path)] == [("", 1), ("cloud", 2), ("colocation", 2)]
