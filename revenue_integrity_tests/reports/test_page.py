"""The page: two views, escaped, self-contained, readable without sight, and right figures."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from revenue_integrity import wording
from revenue_integrity.reports import index, page, recon_figures
from revenue_integrity.reports.pack_data import PackData
from revenue_integrity.streams.colocation import report_rows
from revenue_integrity.streams.colocation.recon import RECONCILIATIONS
from revenue_integrity.wording import Currency
from revenue_integrity_tests.reports import sample

_VOID = {"meta", "link", "input", "br", "hr", "img"}


class _Structure(HTMLParser):
    """Collects tags and checks that each is closed by its own end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> _Structure:
    """Return the page's structure; every tag must be closed by its own end."""
    structure = _Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    return structure


@pytest.fixture(scope="module")
def html() -> str:
    return page.page(sample.preliminary())


@pytest.fixture(scope="module")
def structure(html: str) -> _Structure:
    return parsed(html)


@pytest.mark.parametrize("make", [sample.preliminary, sample.signed, sample.empty])
def test_page_is_well_formed_and_has_both_views(make: Callable[[], PackData]) -> None:
    structure = parsed(page.page(make()))
    text = "".join(structure.text)
    assert "Revenue & Margin Overview" in text
    assert "Controls & Reconciliation" in text


def test_names_with_markup_are_text(html: str, structure: _Structure) -> None:
    assert not [tag for tag, _ in structure.tags if tag == "script"]
    assert "<script" not in html.lower()
    assert sample.MARKUP_NAME in "".join(structure.text)
    assert not [name for _, attributes in structure.tags for name in attributes if name.startswith("on")]


def test_page_asks_the_network_for_nothing(html: str, structure: _Structure) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", html)
    references = [
        attributes[name] for _, attributes in structure.tags for name in ("src", "href", "xlink:href") if name in attributes
    ]
    assert {reference for reference in references if reference and not reference.startswith("#")} == {
        "data:,",
        "close-pack-2025-06.xlsx",
    }
    policy = next(attributes["content"] for tag, attributes in structure.tags if attributes.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_each_chart_has_a_title_and_a_description(structure: _Structure) -> None:
    identifiers = {attributes["id"] for _, attributes in structure.tags if attributes.get("id")}
    charts = [attributes for tag, attributes in structure.tags if tag == "svg"]
    # Gross variances; MRR, power, margin, Pareto, risk; variance by month and its causes.
    assert len(charts) == 8
    for attributes in charts:
        assert attributes["role"] == "img"
        assert {*str(attributes["aria-labelledby"]).split()} <= identifiers


def test_ids_are_unique(structure: _Structure) -> None:
    identifiers = [attributes["id"] for _, attributes in structure.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_tables_have_headings_with_scope_and_the_page_a_skip_link(structure: _Structure) -> None:
    headings = [attributes for tag, attributes in structure.tags if tag == "th"]
    assert headings
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in headings)
    assert next(attributes for tag, attributes in structure.tags if tag == "a")["href"] == "#main"
    levels = [int(tag[1]) for tag, _ in structure.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tabs_are_radio_buttons_with_labels(structure: _Structure) -> None:
    radios = [attributes for tag, attributes in structure.tags if tag == "input"]
    labelled = {attributes["for"] for tag, attributes in structure.tags if tag == "label"}
    assert [attributes["type"] for attributes in radios] == ["radio"] * 3
    assert {attributes["id"] for attributes in radios} == labelled


def test_figures_are_those_of_the_tables(structure: _Structure) -> None:
    text = " ".join(" ".join(structure.text).split())
    # MRR by hand: 880,000.01 + 90,000 + 40,000 - 20,000 - 30,000
    assert "960,000.01" in text
    assert "net retention 98.9 %, gross 94.3 %" in text
    # ERP less contracts at close: +3,500.50, -500.00, +500.00
    assert "$3,500.50 gross $4,500.50; 3 of 4 rows in breach" in text
    assert "97.8 % $100.00 unexplained (gross)" in text
    assert "53.7 % of revenue" in text


def test_unsigned_month_is_preliminary_and_says_what_blocks(html: str) -> None:
    assert "PRELIMINARY – the month is blocked" in html
    assert "Variances are explained" in html
    assert "PRELIMINARY" not in page.page(sample.signed())


def test_reopened_month_is_preliminary() -> None:
    data = replace(sample.signed(), status={**sample.signed().status, "status": "reopened"})
    assert "PRELIMINARY – the month is reopened" in page.page(data)


def test_waived_check_does_not_stand_in_the_way() -> None:
    text = " ".join("".join(parsed(page.page(sample.signed())).text).split())
    assert "In the way of a signature0of 1 that a signature needs; 1 waived" in text


def test_figures_and_evidence_are_written_by_their_units() -> None:
    data = sample.preliminary()
    data.checks.loc[0, "figures"] = (
        '{"unexplained_cents": -10000, "late_share": 0.0345, "rows": 1234, "seen": true, "rate": 1.50}'
    )
    sample.published(data).tables["recon_causes"].loc[0, "evidence"] = (
        '{"lines": [{"document_id": "D1", "amount_cents": 5}, {"document_id": "D2", "line_no": 2}]}'
    )
    text = " ".join("".join(parsed(page.page(data)).text).split())
    assert "unexplained: ($100.00); late share: 3.5 %; rows: 1,234; seen: yes; rate: 1.5" in text
    assert "lines: document id D1, amount $0.05 and document id D2, line no 2" in text


def test_month_without_data_says_so() -> None:
    text = "".join(parsed(page.page(sample.empty())).text)
    assert "Not available" in text
    assert "No check is on record for this month" in text


def test_causes_lead_from_expected_to_billed() -> None:
    steps = recon_figures.steps(sample.published(sample.preliminary()), RECONCILIATIONS, "erp_vs_mart")
    assert steps is not None
    assert list(steps.itertuples(index=False, name=None)) == [
        ("expected charges", 100_000_000, True),
        ("late posting", 350_050, False),
        ("price mismatch", 50_000, False),
        ("unbilled", -40_000, False),
        ("unexplained", -10_000, False),
        ("ERP invoice lines", 100_350_050, True),
    ]
    first, *between, last = steps["amount_cents"]
    assert first + sum(between) == last


def test_causes_come_in_the_order_of_their_declaration_with_what_nothing_explains_last() -> None:
    found = recon_figures.cause_totals(sample.published(sample.preliminary()), RECONCILIATIONS)
    assert found is not None
    assert found["cause"].tolist() == ["late_posting", "price_mismatch", "unbilled", "unexplained", "variance explained by these"]
    # At close 350,050 + 50,000 - 40,000 - 10,000; now without the late posting.
    assert found.iloc[-1][["at_close", "current"]].tolist() == [350_050, 0]


def test_pareto_runs_over_positive_margins_and_comes_back_for_losses() -> None:
    customers = report_rows.customers(sample.published(sample.preliminary()))
    assert customers is not None
    assert customers["customer_id"].tolist() == ["CU-1", "CU-2", "CU-4", "CU-3"]
    # 38,000,000 / 55,999,998; then all; then less the loss of 2,345,678
    assert customers["cumulative_share"].tolist() == [
        Decimal("0.678571"),
        Decimal("0.928571"),
        Decimal("1.000000"),
        Decimal("0.958113"),
    ]


def test_risk_leaves_out_contracts_without_history_in_every_bar() -> None:
    published = sample.published(sample.preliminary())
    assert report_rows.contracts_with_history(published) == (3, 1)
    found = report_rows.risks(published)
    assert found is not None
    # contracts 1 to 3 weigh 1 + 2 + 3; their margins are 38,000,000 + 14,000,000 - 2,345,678
    assert dict(zip(found["case"], found["amount_cents"], strict=True)) == {
        "this month": 49_654_322,
        "expected": 54_000_000,
        "bad month (p5)": 24_000_000,
        "worst month": -6_000_000,
        "stress: power price": 18_000_000,
        "stress: worst rate": 15_000_000,
        "stress: full load": -9_000_000,
    }


@pytest.mark.parametrize(
    ("cents", "exact", "whole", "compact"),
    [
        (0, "0.00", "0", "$0.00"),
        (-1, "(0.01)", "0", "($0.01)"),
        (-50, "(0.50)", "(1)", "($0.50)"),
        (123_456_789, "1,234,567.89", "1,234,568", "$1.23M"),
        (-1_234_567, "(12,345.67)", "(12,346)", "($12.3K)"),
        (999_999_99, "999,999.99", "1,000,000", "$1.00M"),
        (2**60 + 1, "11,529,215,046,068,469.77", "11,529,215,046,068,470", "$11,529,215.0B"),
        (None, "–", "–", "–"),
    ],
)
def test_amounts_are_written_for_finance(cents: int | None, exact: str, whole: str, compact: str) -> None:
    assert wording.money(cents) == exact
    assert wording.money(cents, whole=True) == whole
    assert Currency("USD").compact(cents) == compact


@pytest.mark.parametrize(
    ("code", "heading", "amount", "compact"),
    [
        ("USD", "Revenue, $", "($1,234.56)", "$1.50M"),
        ("EUR", "Revenue, €", "(€1,234.56)", "€1.50M"),
        ("CHF", "Revenue, CHF", "(CHF\N{NO-BREAK SPACE}1,234.56)", "CHF\N{NO-BREAK SPACE}1.50M"),
    ],
)
def test_amounts_name_the_currency_of_the_deployment(code: str, heading: str, amount: str, compact: str) -> None:
    currency = Currency(code)
    assert currency.heading("Revenue") == heading
    assert currency.amount(-123_456) == amount
    assert currency.cost(Decimal("-1234.555")) == amount
    assert currency.compact(150_000_000) == compact


# The index


MONTHS = (date(2025, 4, 1), date(2025, 5, 1), date(2025, 6, 1))
COLOCATION = index.Shown.of(sample.COLOCATION, sample.REPORT)


def _row(month: date, status: str, revenue: int | None, book: str = "revenue") -> index.IndexRow:
    cost = None if revenue is None else revenue // 2
    figures = {"revenue_cents": revenue, "power_cost_cents": cost, "variance_cents": -1234}
    link = f"{book}/{month:%Y-%m}/close-pack-{month:%Y-%m}.html"
    return index.IndexRow(book, month, link, status, 1 if status == "signed_off" else None, 2, figures)


def test_index_lists_all_months_the_latest_first(tmp_path: Path) -> None:
    april, may, june = MONTHS
    rows = [_row(may, "signed_off", 100_00), _row(june, "blocked", 200_00), _row(april, "open", None)]
    html = index.index_page(rows, {"revenue": [COLOCATION]}, sample.DOLLARS)
    target = index.write_index(html, tmp_path / "packs")
    structure = parsed(target.read_text())
    links = [attributes["href"] for tag, attributes in structure.tags if tag == "a"]
    assert links == ["#main", *(f"revenue/{month}/close-pack-{month}.html" for month in ("2025-06", "2025-05", "2025-04"))]
    text = " ".join(" ".join(structure.text).split())
    assert "3 months, 1 signed off" in text
    assert "Revenue, $ Power cost, $" in text
    assert "2025-05 v1 signed off 100 50" in text
    assert not re.search(r"https?:", html)
    assert index.index_page(list(reversed(rows)), {"revenue": [COLOCATION]}, sample.DOLLARS) == html
    assert sorted(path.name for path in target.parent.iterdir()) == ["index.html", "index.json"]
    (listed,) = json.loads((target.parent / "index.json").read_text())["files"]
    assert listed == {"path": "index.html", "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}


def test_index_shows_each_book_with_its_own_months_and_one_of_an_unknown_stream_too() -> None:
    rows = [_row(MONTHS[0], "blocked", 100_00), _row(MONTHS[0], "open", None, "toys")]
    text = " ".join(" ".join(parsed(index.index_page(rows, {"revenue": [COLOCATION]}, sample.DOLLARS)).text).split())
    assert "Months of revenue" in text
    assert "Months of toys" in text
    assert text.index("Months of revenue") < text.index("Months of toys")


def test_a_month_that_was_signed_and_reopened_shows_both_and_when_it_was_computed() -> None:
    row = replace(_row(MONTHS[0], "reopened", 100_49), version=3, reprocessed_at="2025-07-09T16:30:00.000000Z")
    html = index.index_page([row], {"revenue": [COLOCATION]}, sample.DOLLARS)
    text = " ".join(" ".join(parsed(html).text).split())
    assert "2025-04 v3 reopened 100 50" in text
    assert "2025-07-09 16:30 UTC" in text
    assert '<span class="pill good">v3</span>' in html
    assert '<span class="pill bad">reopened</span>' in html


def test_an_index_says_what_it_was_made_from(tmp_path: Path) -> None:
    assert index.made_from(tmp_path / index.FILE) == ""
    index.write_index(index.index_page([], {}, sample.DOLLARS), tmp_path)
    assert index.made_from(tmp_path / index.FILE) == ""
    index.write_index(index.index_page([], {}, sample.DOLLARS, "abc123"), tmp_path)
    assert index.made_from(tmp_path / index.FILE) == "abc123"


def test_index_without_months_is_a_page() -> None:
    assert "No month has a pack yet" in index.index_page([], {}, sample.DOLLARS)
