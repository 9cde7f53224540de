"""What the page says of a month and of the year, added up by hand; and the page of a simulated shop."""

from contextlib import nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from revenue_integrity import clock
from revenue_integrity.desk.facts import Desk
from revenue_integrity.desk.packs import Packs
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.report import Card, Chart, Currency, Listing, Published
from revenue_integrity.model.stream import Streams
from revenue_integrity.reports.pack_data import PackData, StreamPart
from revenue_integrity.reports.page import page
from revenue_integrity.serving import export
from revenue_integrity.streams.sales import report_rows as rows
from revenue_integrity.streams.sales.report import REPORT
from revenue_integrity.streams.sales.report_rows import MONTH, PERIODS, YEAR
from revenue_integrity.streams.sales.stream import SALES
from revenue_integrity_tests.reports.test_page import parsed
from revenue_integrity_tests.streams.sales.test_simulate import read, run
from revenue_integrity_tests.without_dagster import Judged, bring_up_to_date

DECEMBER, JANUARY, FEBRUARY = pd.Timestamp("2023-12-01"), pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")


def frame(columns: str, *values: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame([dict(zip(columns.split(), each, strict=True)) for each in values])


CELLS = frame(
    "month region category transactions lines gross_cents discount_cents total_cents",
    (DECEMBER, "West", "Toys", 1, 1, 99_900, 0, 99_900),
    (JANUARY, "West", "Toys", 2, 2, 50_000, 5_000, 45_000),
    (FEBRUARY, "North", "Toys", 2, 3, 20_000, 2_000, 18_000),
    (FEBRUARY, "North", "Home", 1, 1, 12_000, 0, 12_000),
    (FEBRUARY, "West", "Toys", 1, 1, 10_000, 0, 10_000),
)
TREND = frame(
    "month total_cents change_cents change_pct year_change_cents year_change_pct",
    (DECEMBER, 99_900, 0, None, 0, None),
    (JANUARY, 45_000, -54_900, Decimal("-0.549550"), 0, None),
    (FEBRUARY, 40_000, -5_000, Decimal("-0.111111"), 10_000, Decimal("0.333333")),
)
PRODUCTS = frame(
    "month period rank product_id product_name quantity total_cents share",
    (FEBRUARY, "month", 1, "P-2", "Lamp", Decimal("1.5"), 30_000, Decimal("0.75")),
    (FEBRUARY, "ytd", 1, "P-1", None, Decimal(3), 45_000, Decimal("0.529412")),
    (FEBRUARY, "month", 2, "P-1", None, Decimal(1), 10_000, Decimal("0.25")),
)
LOYALTY = frame(
    "month region customers loyalty_points share",
    (DECEMBER, "North", 1, 100, Decimal("0.5")),
    (DECEMBER, "West", 1, 100, Decimal("0.5")),
    (FEBRUARY, "North", 2, 150, Decimal("0.333333")),
    (FEBRUARY, "West", 1, 300, Decimal("0.666667")),
)
VALUE = frame(
    "month customer_id total_cents total_12m_cents r_score f_score m_score",
    (FEBRUARY, "C-1", 30_000, 75_000, 5, 5, 4),
    (FEBRUARY, "C-2", 10_000, 10_000, 5, 1, 1),
    (FEBRUARY, "C-3", 0, 99_900, 1, 1, 4),
)
KPIS = frame(
    "month transactions total_cents high_value_transactions high_value_total_cents",
    (DECEMBER, 1, 99_900, 1, 99_900),
    (JANUARY, 2, 45_000, 2, 20_000),
    (FEBRUARY, 4, 40_000, 1, 10_000),
)
REFUSED = frame("month reason rows", (JANUARY, "price is empty", 2), (FEBRUARY, "price is empty", 1), (FEBRUARY, "no date", 2))
TIES = frame(
    "month recon view unit rows breaches left_total right_total variance_signed unexplained_cents",
    (JANUARY, "sales_vs_ledger", "current", "cents", 1, 1, 45_500, 45_000, 500, 100),
    (FEBRUARY, "sales_vs_ledger", "current", "cents", 3, 0, 40_000, 40_000, 0, 0),
    (FEBRUARY, "sales_vs_ledger", "as_of_close", "cents", 3, 3, 0, 40_000, -40_000, 0),
    (FEBRUARY, "loaded_vs_sent", "current", "count", 1, 0, 5, 5, 0, None),
)

KEPT = {
    "sales_by_region_category": CELLS,
    "sales_trend": TREND,
    "loyalty_by_region": LOYALTY,
    "sales_kpis": KPIS,
    "refused_sales": REFUSED,
    "sales_recon_summary": TIES,
}


@pytest.fixture
def february() -> Published:
    """Return February with what is kept of the months before it."""
    tables = {name: kept[kept["month"] == FEBRUARY] for name, kept in KEPT.items()}
    trends = {**{name: kept for name, kept in KEPT.items() if name != "sales_recon_summary"}, rows.TIES: TIES}
    trends["customer_value"] = rows.value_classes(VALUE)
    more = {"top_products": PRODUCTS, "customer_value": VALUE}
    return Published(date(2024, 2, 1), Currency("USD"), {**tables, **more}, trends=trends)


def records(published: Published, wanted: rows.Rows, *columns: str) -> list[tuple[object, ...]]:
    found = published.rows(wanted)
    assert found is not None
    return list(found[list(columns)].itertuples(index=False, name=None))


def test_sales_by_region_of_the_month_and_of_the_year(february: Published) -> None:
    wanted = ("region", "lines", "total_cents", "share")
    of_month = [("North", 4, 30_000, Decimal("0.75")), ("West", 1, 10_000, Decimal("0.25"))]
    assert records(february, rows.sales_by("region", MONTH), *wanted) == of_month
    # 450.00 of January and 100.00 of February; December is of another year.
    of_year = [("West", 3, 55_000, Decimal("0.647059")), ("North", 4, 30_000, Decimal("0.352941"))]
    assert records(february, rows.sales_by("region", YEAR), *wanted) == of_year


def test_the_leading_region_is_said_with_its_share_and_its_lead(february: Published) -> None:
    assert rows.leading("region", MONTH)(february) == (
        "North leads in February 2024 with $300.00, 75.0 % of all; West follows, $200.00 behind."
    )
    assert rows.leading("category", YEAR)(february) == (
        "Toys leads in 2024 up to February with $730.00, 85.9 % of all; Home follows, $610.00 behind."
    )


def test_months_are_compared_and_the_strongest_of_the_year_are_said(february: Published) -> None:
    assert rows.months_words(february) == (
        "February 2024: $400.00, $50.00 (11.1 %) less than the month before, $100.00 (33.3 %) more than a year ago."
    )
    assert rows.strongest(february) == (
        "2024 up to February comes to $850.00; the strongest: January 2024 ($450.00) and February 2024 ($400.00)."
    )
    # Of 2023 only December is known: a sum since January it would not be.
    assert records(february, rows.year, "name", "year", "to_date_cents") == [
        ("01 Jan", "2024", 45_000),
        ("02 Feb", "2024", 85_000),
    ]


def test_the_first_product_is_said_by_its_name_or_else_its_id(february: Published) -> None:
    assert records(february, rows.top(MONTH), "label", "rank") == [("Lamp", 1), ("P-1", 2)]
    assert rows.first_product(MONTH)(february) == "Lamp sold best in February 2024: $300.00, 75.0 % of all (1.5 units)."
    assert rows.first_product(YEAR)(february) == "P-1 sold best in 2024 up to February: $450.00, 52.9 % of all (3 units)."


def test_points_are_compared_with_those_when_the_year_began(february: Published) -> None:
    assert rows.loyalty_words(MONTH)(february) == "West has the most loyalty points, 300, 66.7 % of all."
    assert records(february, rows.loyalty(YEAR), "region", "then_points", "change_points") == [
        ("West", 100, 200),
        ("North", 100, 50),
    ]
    assert rows.loyalty_words(YEAR)(february) == (
        "Since the end of December 2023 points changed by 250; West gained the most, 200."
    )


def test_customers_are_classed_by_the_sum_of_their_scores(february: Published) -> None:
    # 14, 7 and 6 of 15.
    assert records(february, rows.customer_value(MONTH), "value_class", "customers", "total_cents", "total_12m_cents") == [
        ("Best", 1, 30_000, 75_000),
        ("Fair", 1, 10_000, 10_000),
        ("Weak", 1, 0, 99_900),
    ]
    assert rows.value_words(MONTH)(february) == "The class Best (1 customer) bought for $300.00 in February 2024, 75.0 % of all."


def test_discounts_are_shares_of_the_price(february: Published) -> None:
    assert records(february, rows.discounts(MONTH), "region", "weighted") == [
        ("North", Decimal("0.062500")),
        ("West", Decimal("0.000000")),
    ]
    assert rows.discount_words(YEAR)(february) == (
        "$70.00 were given away in 2024 up to February, 7.6 % of the price; most in West, 8.3 %."
    )


def test_large_sales_are_counted_over_the_year(february: Published) -> None:
    assert (
        rows.high_value_words(YEAR)(february)
        == "3 transactions of high value in 2024 up to February: $300.00, 35.3 % of all sales."
    )


def test_reasons_are_added_up_and_the_most_frequent_is_said(february: Published) -> None:
    assert records(february, rows.refused(MONTH), "reason", "rows") == [("no date", 2), ("price is empty", 1)]
    assert records(february, rows.refused(YEAR), "reason", "rows") == [("price is empty", 3), ("no date", 2)]
    assert rows.refused_words(YEAR)(february) == (
        "Rows of 2024 up to February were refused for 2 reasons, most often: price is empty."
    )


def test_what_ties_is_said_for_all_postings(february: Published) -> None:
    assert rows.tied_words(MONTH)(february) == "February 2024: sales vs ledger ties; nothing is unexplained."
    assert rows.tied_words(YEAR)(february) == ("2024 up to February: sales vs ledger differs by $5.00; $1.00 is unexplained.")


EMPTY = Published(date(2024, 2, 1), Currency("USD"), {})


@pytest.mark.parametrize("period", PERIODS)
def test_without_its_tables_nothing_is_said(period: rows.Period) -> None:
    for words in (rows.first_product, rows.loyalty_words, rows.value_words, rows.discount_words, rows.high_value_words):
        assert words(period)(EMPTY) == ""
    assert (rows.leading("region", period)(EMPTY), rows.refused_words(period)(EMPTY), rows.tied_words(period)(EMPTY)) == (
        "",
        "",
        "",
    )


def test_a_page_without_any_table_says_that_nothing_is_there() -> None:
    data = PackData("sales", EMPTY.month, EMPTY.currency, [StreamPart(SALES, EMPTY, REPORT)])
    assert "Not available" in " ".join(parsed(page(data)).text)


def test_every_visual_but_those_of_months_stands_for_the_month_and_for_the_year() -> None:
    assert REPORT.view is not None
    titles = []
    for section in REPORT.view.sections:
        for card in section.cards:
            blocks = card.blocks if isinstance(card, Card) else (card,)
            titles += [block.title for block in blocks if isinstance(block, Chart | Listing)]
    of_month = {title for title in titles if title.endswith(("the month", "end of the month"))}
    of_year = {title for title in titles if title.endswith(("the year to date", "over the year"))}
    assert len(of_month) == len(of_year) == 9


def test_the_pack_of_a_simulated_shop_says_what_its_tables_hold(tmp_path: Path) -> None:
    with clock.held_at(datetime(2025, 1, 20, 9, tzinfo=UTC)):
        settings, _ = run(tmp_path, transactions=60, faults="default", seed=2, last=date(2024, 11, 1))
        home = Deployment(settings, Streams.of(SALES))
        bring_up_to_date(home)
        desk = Desk(home, Judged(home))
        packs = Packs(desk)
        (book,) = desk.books
        files = packs.files(packs.row(book, date(2024, 11, 1)))
        invalid = [
            export.read(
                home,
                "invalid_transactions",
                None,
                tenant=None,
                live=live,
                as_of=None,
                say=lambda _: None,
                open_evidence=lambda _: nullcontext(Judged(home)),
            )
            for live in (False, True)
        ]
    assert {"close-pack-2024-11.xlsx", "csv/top_products.csv", "csv/refused_sales.csv", "csv/customer_value.csv"} <= files.keys()
    text = " ".join(" ".join(parsed(files["close-pack-2024-11.html"].decode()).text).split())
    sold = pd.read_parquet(settings.published_path / "sales_kpis" / "month=2024-11" / "data.parquet")
    total = int(sold["total_cents"].iloc[0])
    assert f"${total // 100:,}.{total % 100:02d}" in text
    assert "leads in November 2024" in text
    assert "Settlements less sales" in text
    told = [row for row in read(tmp_path / "truth" / "sales_bad_rows.csv") if row["batch_id"].startswith("sales/transactions/")]
    places = sorted((row["batch_id"], row["file_name"], int(row["row_number"])) for row in told)
    assert places
    for found in invalid:
        assert sorted(found[["batch_id", "file_name", "row_number"]].itertuples(index=False, name=None)) == places
        assert found["dq_errors"].str.len().min() > 0
