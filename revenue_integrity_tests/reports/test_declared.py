"""What a declaration can say, and that any stream has its page from its own: the toy stream, and one that declares nothing."""

import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import altair as alt
import openpyxl
import pandas as pd
import pytest
import vl_convert

from revenue_integrity.model.report import (
    INDEX,
    Card,
    Chart,
    Column,
    Kpi,
    Listing,
    MonthFigure,
    Published,
    Report,
    Section,
    Sentence,
    View,
    measured,
)
from revenue_integrity.reports import charts, index, manifest, pack, page, sections
from revenue_integrity.reports.pack_data import PackData, StreamPart
from revenue_integrity.reports.workbook import workbook_bytes
from revenue_integrity_tests.reports import sample
from revenue_integrity_tests.reports.test_page import parsed
from revenue_integrity_tests.toy.report import REPORT
from revenue_integrity_tests.toy.stream import TOY

MONTH = date(2025, 2, 1)


def boats(month: date = MONTH) -> pd.DataFrame:
    """Return what three boats earned: 120.00, 70.00 and 20.00 due, 1.00 of them not booked."""
    rows = [("B-1", 2, 12_000, 12_000), ("B-2", 1, 7_000, 6_900), ("=B-3", 1, 2_000, 2_000)]
    return sample.frame([dict(zip(("boat_id", "rentals", "due_cents", "booked_cents"), row, strict=True)) for row in rows], month)


def results() -> pd.DataFrame:
    """Return the comparison of the three boats: one differs, within its tolerance."""
    rows = []
    for view in ("as_of_close", "current"):
        for boat, left, right in (("B-1", 12_000, 12_000), ("B-2", 6_900, 7_000), ("=B-3", 2_000, 2_000)):
            status = "matched" if left == right else "within_tolerance"
            said = {"recon": "booked_vs_due", "view": view, "boat_id": boat, "unit": "cents", "status": status}
            amounts = {"left_cents": left, "right_cents": right, "variance_cents": left - right}
            rows.append(said | amounts | {"left_value": None, "right_value": None, "variance_value": None, "variance_pct": None})
    return sample.frame(rows, MONTH)


def toy(report: Report = REPORT) -> PackData:
    """Return a pack of the toy stream."""
    before = sample.frame([{"due_cents": 20_000, "booked_cents": 20_000}], date(2025, 1, 1))
    now = sample.frame([{"due_cents": 21_000, "booked_cents": 20_900}], MONTH)
    trends = {"toy_boats": pd.concat([before, now], ignore_index=True)}
    published = Published(MONTH, sample.DOLLARS, {"toy_boats": boats(), "toy_recon_results": results()}, trends=trends)
    return PackData("toy", MONTH, sample.DOLLARS, [StreamPart(TOY, published, report)])


def text_of(data: PackData) -> str:
    """Return the words of a page on one line."""
    return " ".join(" ".join(parsed(page.page(data)).text).split())


def book_of(data: PackData, *, values: bool = False) -> Any:
    """Return the workbook, read back."""
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(data)), data_only=values)


# Any stream


def test_a_stream_has_its_page_from_its_declaration() -> None:
    text = text_of(toy())
    # 210.00 after 200.00
    assert "Due for boats $210.00 $10.00 (+5.0 %) on the month before" in text
    assert "B-1 2 120.00 120.00 B-2 1 70.00 69.00 =B-3 1 20.00 20.00 Total 4 210.00 209.00" in text
    assert "Booked less due ($1.00) gross $1.00; 0 of 3 boats in breach" in text
    assert "booked vs due as of close USD 3 2 1 0 209 210 (1.00) 1.00 (0.48 %)" in text


def test_a_stream_has_its_sheets_from_the_same_declaration() -> None:
    formulas, values = book_of(toy()), book_of(toy(), values=True)
    assert formulas.sheetnames == ["Summary", "Reconciliations", "Causes", "Boats", "Restatement", "Checks", "Sign-off"]
    assert formulas["Boats"]["C5"].value == "=ROUND(SUM(C7:C9),2)"
    assert (values["Boats"]["C5"].value, values["Boats"]["A9"].value) == (210, "=B-3")
    summary = {row[0].value: row[1] for row in formulas["Summary"].iter_rows() if row[0].value}
    assert summary["Due for boats, $"].value == "=Boats!C5"
    totals = next(row for row in values["Summary"].iter_rows(values_only=True) if row[:2] == ("booked vs due", "current"))
    assert totals[2:11] == ("USD", 3, 2, 1, 0, 209, 210, -1, 1)


def test_a_stream_that_declares_no_report_has_what_every_stream_has() -> None:
    data = toy(Report())
    text = text_of(data)
    assert "Controls & Reconciliation" in text
    assert "booked vs due as of close USD 3 2 1 0" in text
    # Its tile names the reconciliation as it is called.
    assert "booked vs due ($1.00) gross $1.00" in text
    assert book_of(data).sheetnames == ["Summary", "Reconciliations", "Causes", "Restatement", "Checks", "Sign-off"]
    assert set(pack.pack_files(data)) >= {"csv/toy_boats.csv", "csv/toy_recon_results.csv"}


def test_streams_of_one_book_stand_beside_each_other_and_two_sheets_never_have_one_name() -> None:
    colocation = sample.signed()
    (boats_part,) = toy().parts
    data = replace(colocation, book="all", parts=[*colocation.parts, boats_part])
    names = book_of(data).sheetnames
    assert "Reconciliations" in names
    assert "Boats Reconciliations" in names
    text = text_of(data)
    assert "Close pack · all (colocation and toy)" in text
    assert "Colocation: Does it tie?" in text
    assert "Boats: Does it tie?" in text


def test_the_manifest_and_the_index_compare_months_by_what_the_stream_declares() -> None:
    left = MonthFigure("toy_open_cents", "Not booked", "toy_boats", ("due_cents",), less=("booked_cents",))
    trend = Chart("Due for boats", "bar", INDEX, x="month", y={"toy_due_cents": "Due"})
    data = toy(replace(REPORT, index=(*TOY.figures, left), index_charts=(trend,)))
    files = pack.pack_files(data)
    assert b'"toy_due_cents": 21000,\n    "toy_open_cents": 100' in files[manifest.FILE]
    (part,) = data.parts
    row = index.IndexRow("toy", MONTH, "a.html", "ready", None, 0, {"toy_due_cents": 21_000, "toy_open_cents": 100})
    html = index.index_page([row], {"toy": [index.Shown.of(part.stream, part.report)]}, sample.DOLLARS)
    assert "Due for boats, $" in html
    assert "210.00" in html
    assert "Bars in USD: 2025-02 Due 210.00." in html
    # Where a report compares by nothing of its own, the stream's figures stand.
    assert index.Shown.of(TOY, Report()).figures == TOY.figures


# Listings


def published(rows: list[dict[str, Any]] | None, **more: Any) -> Published:
    """Return a month with one dataset."""
    tables = {} if rows is None else {"rows": pd.DataFrame(rows, dtype=object)}
    return Published(MONTH, sample.DOLLARS, tables, **more)


def lines_of(listing: Listing, rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the texts of the lines of a listing on a page."""
    table = sections.table_of(listing, published(rows))
    return [[cell.text for cell in line.cells] for _, lines in table.groups for line in lines]


NAME, AMOUNT = Column("name", "Name"), Column("amount", "Amount", "cents", total=True)
ROWS = [{"name": f"N-{at}", "amount": amount} for at, amount in enumerate((100, -500, 300, None, 200))]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ((), ["N-0", "N-1", "N-2", "N-3", "N-4"]),
        (("amount",), ["N-1", "N-0", "N-4", "N-2", "N-3"]),
        (("-amount",), ["N-2", "N-4", "N-0", "N-1", "N-3"]),
        (("±amount",), ["N-1", "N-2", "N-4", "N-0", "N-3"]),
        (("-name",), ["N-4", "N-3", "N-2", "N-1", "N-0"]),
    ],
)
def test_rows_come_in_the_declared_order_and_missing_ones_last(order: tuple[str, ...], names: list[str]) -> None:
    *rows, total = lines_of(Listing("L", "rows", (NAME, AMOUNT), order=order), ROWS)
    assert [row[0] for row in rows] == names
    assert total == ["Total", "1.00"]


def test_the_page_shows_the_first_rows_the_rest_in_one_and_the_total_of_all() -> None:
    listing = Listing("L", "rows", (NAME, AMOUNT), order=("±amount",), first=2, what="names")
    assert lines_of(listing, ROWS) == [["N-1", "(5.00)"], ["N-2", "3.00"], ["3 others", "3.00"], ["Total", "1.00"]]
    assert sections.table_of(listing, published(ROWS)).caption.startswith("2 of 5 names. ")
    # Where nothing is added up, what is left over is only counted.
    assert len(lines_of(replace(listing, columns=(NAME,)), ROWS)) == 2


def test_a_sentence_is_made_from_figures_and_left_out_where_it_has_nothing_to_say() -> None:
    left = MonthFigure("x", "X", "rows", ("amount",))
    said = Sentence(lambda month: f"Left: {month.currency.amount(measured(left, month))}." if measured(left, month) else "")
    section = Section("S", (Card("C", (Listing("L", "rows", (NAME,)), said)),))
    (card,) = sections.shown_section(section, published(ROWS), "s").cards
    assert card.parts[-1] == sections.Words("Left: $1.00.")
    nothing = [{"name": "a", "amount": 5}, {"name": "b", "amount": -5}]
    (card,) = sections.shown_section(section, published(nothing), "s").cards
    assert len(card.parts) == 1


def test_only_wanted_rows_are_shown_and_what_is_said_where_there_are_none() -> None:
    listing = Listing("L", "rows", (NAME, AMOUNT), only={"name": "N-2"}, empty="Nothing here.", absent="Not there.")
    assert lines_of(listing, ROWS) == [["N-2", "3.00"], ["Total", "3.00"]]
    assert sections.table_of(replace(listing, only={"name": "?"}), published(ROWS)).said == "Nothing here."
    assert sections.table_of(listing, published(None)).said == "Not there."


def test_a_share_has_the_share_of_the_totals_below_it() -> None:
    columns = (
        NAME,
        AMOUNT,
        Column("whole", "Whole", "cents", total=True),
        Column("part", "Part", "share", share=("amount", "whole")),
    )
    rows = [
        {"name": "a", "amount": 100, "whole": 400, "part": Decimal("0.25")},
        {"name": "b", "amount": 50, "whole": 100, "part": Decimal("0.5")},
    ]
    assert lines_of(Listing("L", "rows", columns), rows)[-1] == ["Total", "1.50", "5.00", "30.0 %"]


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        (Column("x", "", "cents", whole=True), -12_350, "(124)"),
        (Column("x", "", "cost"), Decimal("-1234.5678"), "(1,234.57)"),
        (Column("x", "", "integer"), 12_345, "12,345"),
        (Column("x", "", "decimal"), Decimal("1234.5670"), "1,234.567"),
        (Column("x", "", "decimal", places=1), Decimal("1234.567"), "1,234.6"),
        (Column("x", "", "share", places=2), Decimal("0.12345"), "12.35 %"),
        (Column("x", "", "month"), pd.Timestamp("2025-02-01"), "2025-02"),
        (Column("x", "", "date"), pd.Timestamp("2025-02-03"), "2025-02-03"),
        (Column("x", "", "instant"), pd.Timestamp("2025-02-03T04:05:06Z"), "2025-02-03 04:05 UTC"),
        (Column("x", "", "flag"), True, "yes"),
        (Column("x", "", "words"), "late_posting", "late posting"),
        (Column("x", "", "evidence"), '{"amount_cents": -5}', "amount: ($0.05)"),
        (Column("x", ""), None, "–"),
    ],
)
def test_values_are_written_by_their_format(column: Column, value: Any, shown: str) -> None:
    assert lines_of(Listing("L", "rows", (NAME, column)), [{"name": "n", "x": value}])[0][1] == shown


def test_a_row_may_say_its_own_format_badge_tone_and_link() -> None:
    columns = (
        Column("name", "Name", badge="badge", link="link"),
        Column("x", "Amount", "decimal", by="format"),
        Column("state", "State", "pill", tone="tone"),
    )
    rows = [
        {"name": "a", "badge": "new", "link": "a/b.html", "x": 100, "format": "cents", "state": "in_breach", "tone": "bad"},
        {"name": "b", "badge": "", "link": "", "x": Decimal("2.5"), "format": "decimal", "state": "fine", "tone": "good"},
    ]
    view = View("v", "V", (), (Section("S", (Listing("L", "rows", columns),)),))
    (part,) = toy().parts
    data = replace(toy(), parts=[StreamPart(TOY, published(rows), Report(view=view))])
    html = page.page(data)
    assert '<a href="a/b.html">a</a> <span class="pill">new</span>' in html
    assert '<td class="n">1.00</td><td><span class="pill bad">in breach</span></td>' in html
    assert '<td class="n">2.5</td><td><span class="pill good">fine</span></td>' in html
    assert part.stream is TOY


def test_sums_are_formulas_over_the_rows_of_their_group_and_a_proof_shows_what_is_left() -> None:
    steps = Listing(
        "Bridge",
        "rows",
        (NAME, Column("amount", "Amount", "cents")),
        group="group",
        sums="is_sum",
    )
    rows = [
        {"group": "one", "name": "opening", "amount": 100, "is_sum": True},
        {"group": "one", "name": "more", "amount": 30, "is_sum": False},
        {"group": "one", "name": "less", "amount": -10, "is_sum": False},
        {"group": "one", "name": "closing", "amount": 120, "is_sum": True},
        {"group": "two", "name": "own", "amount": 7, "is_sum": False},
        {"group": "two", "name": "all", "amount": 7, "is_sum": True},
    ]
    moved = Listing(
        "Moved",
        "moved",
        (NAME, *(Column(each, each, "cents", total=True) for each in ("opening", "added", "closing"))),
        sheet="Moved",
        proof={"opening": 1, "added": 1, "closing": -1},
    )
    tables = {
        "rows": pd.DataFrame(rows, dtype=object),
        "moved": pd.DataFrame([{"name": "n", "opening": 100, "added": 30, "closing": 131}], dtype=object),
    }
    part = StreamPart(TOY, Published(MONTH, sample.DOLLARS, tables), Report(sheets=(moved,), summary=(steps,)))
    data = replace(toy(), parts=[part])
    formulas, values = book_of(data), book_of(data, values=True)
    found = {
        row[0].value: row[1].value for row in formulas["Summary"].iter_rows() if row[0].value in ("opening", "closing", "all")
    }
    opening = next(row[0].row for row in formulas["Summary"].iter_rows() if row[0].value == "opening")
    assert found["opening"] == 1
    assert found["closing"] == f"=ROUND(B{opening}+B{opening + 1}+B{opening + 2},2)"
    assert found["all"] == f"=ROUND(B{opening + 4},2)"
    assert formulas["Moved"]["E5"].value == "=ROUND(B5+C5-D5,2)"
    assert values["Moved"]["E5"].value == -0.01


# Figures


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (MonthFigure("x", "X", "rows", ("a",)), 60),
        (MonthFigure("x", "X", "rows", ("a", "b")), 66),
        (MonthFigure("x", "X", "rows", ("a",), less=("b",)), 54),
        (MonthFigure("x", "X", "rows", ("a",), only={"kind": "k"}), 30),
        (MonthFigure("x", "X", "rows", ("a",), only={"kind": "none"}), None),
        (MonthFigure("x", "X", "absent", ("a",)), None),
        (MonthFigure("x", "X", "rows", ("c",), unit="currency"), Decimal("0.300000000003")),
    ],
)
def test_a_figure_adds_up_what_it_says(figure: MonthFigure, expected: Any) -> None:
    rows = [
        {"kind": kind, "a": a, "b": b, "c": Decimal("0.100000000001")}
        for kind, a, b in (("k", 10, 1), ("k", 20, 2), ("j", 30, 3))
    ]
    assert measured(figure, published(rows)) == expected


def test_a_tile_without_a_value_is_left_out_and_one_without_a_month_before_says_so() -> None:
    tiles = sections.tiles(
        (Kpi("There", MonthFigure("x", "X", "rows", ("a",)), change=True), Kpi("Not there", lambda _: None)),
        published([{"a": 150}]),
    )
    assert [(tile.label, tile.value, tile.note) for tile in tiles] == [("There", "$1.50", "first month shown")]


# Charts


def frame_of_kinds() -> list[dict[str, Any]]:
    """Return rows that every kind of chart can draw."""
    return [
        {"x": "a", "m": pd.Timestamp("2025-01-01"), "v": 500, "w": 100, "s": "one", "sum": True, "share": Decimal("0.5")},
        {"x": "b", "m": pd.Timestamp("2025-01-01"), "v": -100, "w": 50, "s": "two", "sum": False, "share": Decimal("0.9")},
        {"x": "c", "m": pd.Timestamp("2025-02-01"), "v": 400, "w": 25, "s": "one", "sum": True, "share": Decimal("1")},
    ]


CHARTS = (
    Chart("A", "bar", "rows", x="m", y={"v": "First", "w": "Second"}),
    Chart("A", "stacked", "rows", x="m", y="w", series="s"),
    Chart("A", "line", "rows", x="m", y="w", series="s"),
    Chart("A", "area", "rows", x="m", y="w"),
    Chart("A", "across", "rows", x="x", y="v", tone="shade"),
    Chart("A", "donut", "rows", x="x", y="w"),
    Chart("A", "waterfall", "rows", x="x", y="v", sums="sum"),
    Chart("A", "pareto", "rows", x="x", y="w", share="share", first=1),
    Chart("A", "scatter", "rows", x="share", y="v", series="s", along="Share"),
)


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect what is drawn."""
    drawn: list[dict[str, Any]] = []
    draw = vl_convert.vegalite_to_svg

    def drawing(spec: dict[str, Any]) -> str:
        drawn.append(spec)
        return draw(spec)

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", drawing)
    return drawn


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.kind)
def test_every_kind_of_chart_is_drawn_and_described(chart: Chart, specs: list[dict[str, Any]]) -> None:
    (picture,) = charts.pictures(chart, published(frame_of_kinds()), "c")
    (spec,) = specs
    alt.Chart.from_dict({**spec, "config": {}}, validate=True)
    described = re.search(r"<desc[^>]*>(.*?)</desc>", picture.svg)
    assert described is not None
    assert "in USD: " in described[1]
    assert "<script" not in picture.svg
    assert charts.pictures(chart, published(None), "c") == []


def test_a_chart_that_is_split_has_a_picture_for_each_value() -> None:
    chart = Chart("Cost", "bar", "rows", x="m", y="w", split="s")
    drawn = charts.pictures(chart, published(frame_of_kinds()), "c")
    assert [each.title for each in drawn] == ["one", "two"]
    assert "Cost, one" in drawn[0].svg
    found = [re.search(r'aria-labelledby="(\S+)', each.svg) for each in drawn]
    assert len({each[1] for each in found if each}) == len(found) == 2


@pytest.mark.parametrize("name", ["a\x00b", "\x1b[31mred", "half \ud83d", "👨‍👩‍👧‍👦" * 80, "a\u202eb"], ids=ascii)
def test_no_name_costs_a_page_its_charts_or_more(name: str) -> None:
    rows = [{**each, "x": f"{name} {at}"} for at, each in enumerate(frame_of_kinds())]
    for chart in CHARTS[4:8]:
        shown = sections.shown_section(Section("A", (chart,)), published(rows), "c")
        (part,) = shown.cards[0].parts
        told = part.svg if isinstance(part, sections.Picture) else " ".join(line.cells[2].text for line in part.groups[0][1])
        # The first row: 5.00 of one measure, 1.00 of the other.
        assert re.search("[51][.]00", told)
        told.encode()


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ("\U0001f469\u200d\U0001f467 ", "\U0001f469[U+200D]\U0001f467 "),
        ("\U0001f1e9\U0001f1ea", "\U0001f1e9\U0001f1ea"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d\U0001f3fd"),
        ("e\u0301", "e\u0301"),
        ("\u0915\u094d\u0937", "\u0915\u094d\u0937"),
        ("ab\u200bc", "ab[U+200B]c"),
        ("\u3164x", "[U+3164]x"),
    ],
    ids=ascii,
)
def test_long_names_are_cut_between_what_people_see_as_one_character_and_hide_nothing(piece: str, shown: str) -> None:
    rows = [{**each, "x": f"{piece * 80}{at}", "s": f"{piece * 80}{at}"} for at, each in enumerate(frame_of_kinds())]
    whole = re.compile(rf"(?:{re.escape(shown)})+(?:{'|'.join(re.escape(part) for part in _starts(shown))})?")
    found = 0
    for chart in CHARTS:
        for picture in charts.pictures(chart, published(rows), "c"):
            assert picture.svg, chart.title
            labels = re.findall(r"<text[^>]*>([^<]*)…</text>", picture.svg)
            assert all(whole.fullmatch(unescape(label)) for label in labels), (chart.title, labels)
            found += len(labels)
    assert found > 5


def _starts(shown: str) -> list[str]:
    """Return the beginnings of a piece that end between two characters as people see them, without blanks at the end."""
    ends = {"\U0001f469[U+200D]\U0001f467 ": ("\U0001f469", "\U0001f469[U+200D]", "\U0001f469[U+200D]\U0001f467")}
    return [*ends.get(shown, ()), *({"ab[U+200B]c": ("a", "ab", "ab[U+200B]"), "[U+3164]x": ("[U+3164]",)}.get(shown, ()))]


def test_names_that_begin_alike_keep_their_own_bars() -> None:
    rows = [{**each, "x": f"{'a' * 80}{at}"} for at, each in enumerate(frame_of_kinds())]
    for chart in CHARTS[4:8]:
        plain = charts.pictures(chart, published(frame_of_kinds()), "c")[0].svg
        drawn = charts.pictures(chart, published(rows), "c")[0].svg
        assert drawn.count("<path") == plain.count("<path"), chart.title


def test_nothing_hides_in_a_name_that_stands_in_a_note_a_tile_or_a_tab() -> None:
    hidden = "a\u202eb"
    rows = [{**each, "s": hidden} for each in frame_of_kinds()]
    month = published(rows)
    chart = Chart("Cost", "bar", "rows", x="m", y="w", split="s", note=lambda _: f"Of {hidden}.")
    (card,) = sections.shown_section(Section("A", (chart,)), month, "c").cards
    (part,) = card.parts
    (tile,) = sections.tiles((Kpi("Largest", lambda _: 100, note=lambda _: f"{hidden} alone"),), month)
    assert isinstance(part, sections.Picture)
    assert [card.title, part.note, tile.note] == ["a[U+202E]b", "Of a[U+202E]b.", "a[U+202E]b alone"]


def test_a_chart_that_cannot_be_drawn_is_a_table_of_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(spec: dict[str, Any]) -> str:
        raise ValueError("conversion failed")

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", fail)
    shown = sections.shown_section(Section("A", (CHARTS[4],)), published(frame_of_kinds()), "c")
    (table,) = shown.cards[0].parts
    assert isinstance(table, sections.Table)
    assert [[cell.text for cell in line.cells] for line in table.groups[0][1]] == [
        ["a", "", "5.00"],
        ["b", "", "(1.00)"],
        ["c", "", "4.00"],
    ]
    assert "cannot be drawn" in table.caption


def test_a_section_says_what_is_missing_instead_of_a_chart() -> None:
    shown = sections.shown_section(Section("S", (CHARTS[0], Card("C", (CHARTS[1],), if_any=True))), published(None), "s")
    (card,) = shown.cards
    (part,) = card.parts
    assert isinstance(part, sections.Picture)
    assert part.said == "Not available: a source that this chart needs has never delivered."
