"""What the sales stream shows in a close pack: a page, sheets, headline figures.

Belongs here: the declaration of the report. Does not belong here: making its rows and sentences (``report_rows``), how it looks
(``reports``), what every stream shows anyway (reconciliations, causes, checks, sign-off).
"""

from collections.abc import Callable

from revenue_integrity import wording
from revenue_integrity.model.report import (
    INDEX,
    Card,
    Chart,
    Column,
    Headline,
    Kpi,
    Listing,
    Measure,
    Published,
    Report,
    Section,
    Trend,
    View,
    bad_unless_zero,
    total,
)
from revenue_integrity.reports import registers
from revenue_integrity.reports.reconciling import variance_kpi
from revenue_integrity.streams.sales import report_rows as rows
from revenue_integrity.streams.sales.figures import HIGH_VALUE, STATUS, TOTAL, YEAR_TO_DATE
from revenue_integrity.streams.sales.recon import LEDGER, RECONCILIATIONS, SETTLEMENTS
from revenue_integrity.streams.sales.report_rows import MONTH, PERIODS, YEAR, Period

_TITLES = {MONTH: "the month", YEAR: "the year to date"}


def _of_kpis(column: str) -> Measure:
    def measure(published: Published) -> int | None:
        frame = published.table("sales_kpis")
        value = None if frame is None or frame.empty else frame[column].iloc[0]
        return None if value is None or wording.is_missing(value) else int(value)

    return measure


def _of_year(column: str, words: str, written: Callable[[Published, int], str]) -> rows.Words:
    """Return a note that says the same figure for the year to date."""

    def note(published: Published) -> str:
        frame = rows.of_period("sales_kpis", YEAR, published)
        return "" if frame is None else f"{words} {written(published, int(total(frame, column)))}"

    return note


def _money(published: Published, cents: int) -> str:
    return published.currency.amount(cents)


def _count(_: Published, count: int) -> str:
    return wording.exact(count)


def _refused(published: Published) -> int | None:
    return published.checks.get("transactions_are_valid", {}).get("refused")


def _customers_note(published: Published) -> str:
    buying = _of_kpis("buying_customers")
    assert callable(buying)
    bought = buying(published)
    return "" if bought is None else f"bought in the month: {wording.exact(bought)}"


TILES = (
    Kpi("Sales", TOTAL, change=True),
    Kpi("Sales of the year", YEAR_TO_DATE),
    Kpi("Transactions", _of_kpis("transactions"), "integer", note=_of_year("transactions", "year to date:", _count)),
    Kpi("Average sale", _of_kpis("average_sale_cents")),
    Kpi("Customers", _of_kpis("customers"), "integer", note=_customers_note),
    Kpi("High-value sales", HIGH_VALUE, note=_of_year("high_value_total_cents", "year to date:", _money)),
    Kpi("Loyalty points", _of_kpis("loyalty_points"), "integer"),
    variance_kpi(RECONCILIATIONS, LEDGER, "Ledger less sales", "regions and categories"),
    variance_kpi(RECONCILIATIONS, SETTLEMENTS, "Settlements less sales", "transactions"),
    Kpi("Rows refused", _refused, "integer", tone=bad_unless_zero),
)


def _sales_listing(key: str, heading: str, period: Period, sheet: str = "") -> Listing:
    return Listing(
        f"Sales by {heading.lower()}, {_TITLES[period]}",
        rows.sales_by(key, period),
        (
            Column(key, heading, "name"),
            Column("lines", "Lines", "integer", total=True),
            Column("gross_cents", "Gross", "cents", total=True),
            Column("discount_cents", "Discount", "cents", total=True),
            Column("total_cents", "Sales", "cents", total=True),
            Column("share", "Share", "share", total=True),
        ),
        note="What was sold, without tax.",
        sheet=sheet,
        what={"region": "regions", "category": "categories"}[key],
        first=0,
    )


def _sales_card(key: str, heading: str, period: Period, listing: Listing) -> Card:
    picture = Chart(
        listing.title,
        "across",
        rows.sales_by(key, period),
        x=key,
        y="total_cents",
        unit="Sales, {currency}",
        note=rows.leading(key, period),
        empty="Nothing was sold.",
    )
    return Card(listing.title, (picture, listing))


REGIONS = {
    period: _sales_listing("region", "Region", period, sheet)
    for period, sheet in zip(PERIODS, ("Regions", "Regions YTD"), strict=True)
}
CATEGORIES = {period: _sales_listing("category", "Category", period) for period in PERIODS}

CELLS = Listing(
    "Sales by region and category",
    "sales_by_region_category",
    (
        Column("region", "Region", "name"),
        Column("category", "Category", "name"),
        Column("transactions", "Transactions", "integer"),
        Column("lines", "Lines", "integer", total=True),
        Column("quantity", "Quantity", "decimal"),
        Column("gross_cents", "Gross", "cents", total=True),
        Column("discount_cents", "Discount", "cents", total=True),
        Column("total_cents", "Sales", "cents", total=True),
    ),
    note="Transactions are counted distinct: one of two categories counts in both.",
    sheet="Sales",
    what="regions and categories",
    order=("region", "category"),
    collapsed=True,
)

MONTHS = Listing(
    "Sales by month",
    rows.months,
    (
        Column("month", "Month", "month"),
        Column("transactions", "Transactions", "integer"),
        Column("customers", "Customers", "integer"),
        Column("total_cents", "Sales", "cents"),
        Column("change_cents", "Change on the month before", "cents"),
        Column("change_pct", "Change", "share"),
        Column("year_change_cents", "Change on a year ago", "cents"),
        Column("year_change_pct", "Change", "share"),
    ),
    note="Published months up to this one, the latest first.",
    sheet="Months",
    what="months",
    order=("-month",),
    collapsed=True,
)

BY_MONTH = Chart(
    "Sales by month",
    "bar",
    rows.months,
    x="month",
    y={"total_cents": "Sales"},
    unit="Sales, {currency} a month",
    note=rows.months_words,
)

BY_YEAR = Chart(
    "Sales of the year, added up",
    "line",
    rows.year,
    x="name",
    y="to_date_cents",
    series="year",
    unit="Sales since January, {currency}",
    note=rows.strongest,
)


def _products(period: Period, sheet: str) -> Listing:
    return Listing(
        f"Top products of {_TITLES[period]}",
        rows.top(period),
        (
            Column("label", "Product", "name"),
            Column("product_id", "Id", "name"),
            Column("rank", "Rank", "integer"),
            Column("quantity", "Quantity", "decimal"),
            Column("total_cents", "Sales", "cents", total=True),
            Column("share", "Share of all sales", "share", total=True),
        ),
        note="The five products with the most revenue, and what part of all sales they are.",
        sheet=sheet,
        what="products",
        order=("rank",),
    )


PRODUCTS = {period: _products(period, sheet) for period, sheet in zip(PERIODS, ("Top products", "Top products YTD"), strict=True)}


def _product_card(period: Period) -> Card:
    title = PRODUCTS[period].title
    picture = Chart(
        title,
        "across",
        rows.top(period),
        x="label",
        y="total_cents",
        unit="Sales, {currency}",
        note=rows.first_product(period),
        empty="Nothing was sold.",
    )
    return Card(title, (picture, PRODUCTS[period]))


LOYALTY = {
    MONTH: Listing(
        "Loyalty by region, end of the month",
        rows.loyalty(MONTH),
        (
            Column("region", "Region", "name"),
            Column("customers", "Customers", "integer", total=True),
            Column("loyalty_points", "Points", "integer", total=True),
            Column("share", "Share of all points", "share", total=True),
        ),
        note="Customers whose history begins by the end of the month, with the points that were told last.",
        sheet="Loyalty",
        what="regions",
        first=0,
    ),
    YEAR: Listing(
        "Loyalty by region, change over the year",
        rows.loyalty(YEAR),
        (
            Column("region", "Region", "name"),
            Column("then_points", "Points when the year began", "integer", total=True),
            Column("loyalty_points", "Points now", "integer", total=True),
            Column("change_points", "Change", "integer", total=True),
        ),
        note="Points at the end of the month beside those when the year began.",
        what="regions",
        first=0,
    ),
}


def _loyalty_card(period: Period) -> Card:
    measured = {MONTH: "loyalty_points", YEAR: "change_points"}[period]
    picture = Chart(
        LOYALTY[period].title,
        "across",
        rows.loyalty(period),
        x="region",
        y=measured,
        format="integer",
        unit={MONTH: "Points", YEAR: "Change of points"}[period],
        note=rows.loyalty_words(period),
        empty="Nothing was told of any customer.",
    )
    return Card(LOYALTY[period].title, (picture, LOYALTY[period]))


def _classes(period: Period) -> Listing:
    return Listing(
        f"Customers by value, {_TITLES[period]}",
        rows.customer_value(period),
        (
            Column("value_class", "Class", "name"),
            Column("customers", "Customers", "integer", total=True),
            Column("total_cents", "Bought", "cents", total=True),
            Column("share", "Share", "share", total=True),
            Column("total_12m_cents", "In twelve months", "cents", total=True),
        ),
        note="Classes by the sum of three scores: how recently, how often and for how much a customer bought in twelve months.",
        what="classes",
        first=0,
    )


CLASSES = {period: _classes(period) for period in PERIODS}


def _class_card(period: Period) -> Card:
    picture = Chart(
        CLASSES[period].title,
        "across",
        rows.customer_value(period),
        x="value_class",
        y="total_cents",
        unit="Bought, {currency}",
        note=rows.value_words(period),
        empty="Nobody bought.",
    )
    return Card(CLASSES[period].title, (picture, CLASSES[period]))


CUSTOMERS = Listing(
    "Customers of the last twelve months",
    "customer_value",
    (
        Column("customer_id", "Customer", "name"),
        Column("transactions", "Transactions", "integer"),
        Column("total_cents", "Bought in the month", "cents", total=True),
        Column("transactions_12m", "Transactions in twelve months", "integer"),
        Column("total_12m_cents", "Bought in twelve months", "cents", total=True),
        Column("last_purchase", "Last purchase", "date"),
        Column("recency_days", "Days since", "integer"),
        Column("r_score", "Recent", "integer"),
        Column("f_score", "Often", "integer"),
        Column("m_score", "Much", "integer"),
    ),
    note="Each score compares a customer with the others: 5 is best, and equal customers share one.",
    sheet="Customer value",
    what="customers",
    order=("-total_12m_cents", "customer_id"),
    most=20_000,
    rest_in="customer_id",
)


def _discounts(period: Period) -> Listing:
    mean = (Column("mean", "Mean over lines", "share"),) if period == MONTH else ()
    return Listing(
        f"Discounts by region, {_TITLES[period]}",
        rows.discounts(period),
        (
            Column("region", "Region", "name"),
            Column("lines", "Lines", "integer", total=True),
            Column("gross_cents", "Gross", "cents", total=True),
            Column("discount_cents", "Discount", "cents", total=True),
            Column("weighted", "Share of gross", "share", share=("discount_cents", "gross_cents")),
            *mean,
        ),
        note=rows.discount_words(period),
        sheet="Discounts" if period == MONTH else "",
        what="regions",
        first=0,
    )


DISCOUNTS = {period: _discounts(period) for period in PERIODS}


def _high_value(period: Period) -> Listing:
    return Listing(
        f"High-value transactions of {_TITLES[period]}",
        rows.high_value(period),
        (
            Column("transaction_id", "Transaction", "name"),
            Column("customer_id", "Customer", "name"),
            Column("sold_on", "Sold on", "date"),
            Column("region", "Region", "name"),
            Column("total_cents", "Sales", "cents", total=True),
        ),
        note=rows.high_value_words(period),
        sheet="High value" if period == MONTH else "",
        what="transactions",
        order=("-total_cents", "transaction_id"),
        empty="No transaction is above the limit.",
    )


HIGH_VALUES = {period: _high_value(period) for period in PERIODS}


def _tied(period: Period) -> Listing:
    return Listing(
        f"Reconciliations, {_TITLES[period]}",
        rows.tied(period),
        (
            Column("recon", "Reconciliation", "words"),
            Column("rows", "Rows", "integer"),
            Column("breaches", "In breach", "integer"),
            Column("left", "Against", "cents"),
            Column("right", "Sales", "cents"),
            Column("variance", "Variance", "cents"),
            Column("unexplained", "Unexplained", "cents"),
        ),
        note=rows.tied_words(period),
        what="reconciliations",
        first=0,
        empty="Neither ledger nor settlements nor control totals were delivered.",
    )


TIED = {period: _tied(period) for period in PERIODS}


def _refusals(period: Period) -> Listing:
    return Listing(
        f"Refused rows of {_TITLES[period]}",
        rows.refused(period),
        (Column("reason", "Reason", "wide"), Column("rows", "Rows", "integer")),
        note=rows.refused_words(period),
        sheet="Refused rows" if period == MONTH else "",
        what="reasons",
        order=("-rows", "reason"),
        empty="No row was refused.",
    )


REFUSED = {period: _refusals(period) for period in PERIODS}

VIEW = View(
    "sales",
    "Sales",
    TILES,
    (
        Section(
            "Where was it sold?",
            (
                *(_sales_card("region", "Region", period, REGIONS[period]) for period in PERIODS),
                *(_sales_card("category", "Category", period, CATEGORIES[period]) for period in PERIODS),
                Card(CELLS.title, (CELLS,), wide=True),
            ),
        ),
        Section("How does it develop?", (BY_MONTH, BY_YEAR, Card(MONTHS.title, (MONTHS,), wide=True))),
        Section("What sells best?", tuple(_product_card(period) for period in PERIODS)),
        Section("Who is loyal?", tuple(_loyalty_card(period) for period in PERIODS)),
        Section(
            "Who buys, and how much?",
            (*(_class_card(period) for period in PERIODS), Card(CUSTOMERS.title, (CUSTOMERS,), wide=True)),
        ),
        Section("What was given away?", tuple(DISCOUNTS.values())),
        Section("Which sales are large?", tuple(HIGH_VALUES.values())),
        Section("Does it tie to ledger and settlements?", tuple(TIED.values())),
        Section("What was refused?", tuple(REFUSED.values())),
    ),
)

REPORT = Report(
    view=VIEW,
    datasets=(
        "customer_value",
        "discount_by_region",
        "high_value_transactions",
        "loyalty_by_region",
        "refused_sales",
        "sales_assumptions",
        "sales_by_region_category",
        "sales_kpis",
        "sales_metric_register",
        "sales_trend",
        "top_products",
    ),
    sheets=(
        CELLS,
        *REGIONS.values(),
        MONTHS,
        *PRODUCTS.values(),
        LOYALTY[MONTH],
        CUSTOMERS,
        DISCOUNTS[MONTH],
        HIGH_VALUES[MONTH],
        REFUSED[MONTH],
    ),
    register=(
        registers.assumptions("sales_assumptions", "Sales assumptions"),
        registers.metrics("sales_metric_register", "Sales metric register"),
    ),
    headlines=(
        Headline("Sales", CELLS, "total_cents"),
        Headline("Discounts", CELLS, "discount_cents"),
        Headline("Sales of the year", REGIONS[YEAR], "total_cents"),
        Headline("High-value sales", HIGH_VALUES[MONTH], "total_cents"),
    ),
    trends=(
        Trend("sales_trend"),
        Trend("sales_kpis"),
        Trend("sales_by_region_category"),
        Trend("loyalty_by_region"),
        Trend("refused_sales"),
        Trend("sales_recon_summary", name=rows.TIES),
        Trend("customer_value", rows.value_classes),
        Trend("high_value_transactions", rows.largest),
    ),
    index=STATUS,
    index_charts=(
        Chart(
            "Sales",
            "bar",
            INDEX,
            x="month",
            y={"sales_cents": "Sales"},
            unit="{currency} a month",
            note="What was sold by month, without tax.",
        ),
    ),
)
"""What the stream shows in a close pack."""
