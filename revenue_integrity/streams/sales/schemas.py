"""The tables of the sales stream, each declared once for DDL, validation, UI and dictionary.

Belongs here: grain, key and columns. Does not belong here: how a table is made (``curated``, ``gold``, ``mart``), raw tables,
which follow from their sources, tables of reconciliations (``recon``).
"""

from functools import partial

from revenue_integrity.model import table as column
from revenue_integrity.model.table import table
from revenue_integrity.streams.sales.sources import STREAM

_KEY_TEXT = "the first 15 hex digits of SHA-256 of its text"


def _key(of: str) -> column.pa.Column:
    return column.integer(f"{of}_key", f"Key of the {of}: {_KEY_TEXT}; 0 is unknown.", ge=0)


def _amounts() -> list[column.pa.Column]:
    return [
        column.money("gross_cents", "Price times quantity, rounded once."),
        column.money("discount_cents", "What the discount takes off."),
        column.money("total_cents", "What was sold for, without tax, rounded once."),
    ]


def _quantity() -> column.pa.Column:
    return column.decimal("quantity", "Units sold; returns are negative.", unit="units")


_TRANSACTION = column.text("transaction_id", "The transaction.")
_REGION = column.text("region", "Region, as the first accepted row wrote it.")
_CATEGORY = column.text("category", "Category as sold, as the first accepted row wrote it.")
_TRACKED = (
    column.text("city", "City.", null=True),
    column.text("country", "Country.", null=True),
    column.text("loyalty_tier", "Tier of the loyalty programme.", null=True),
)
_RUN = {"content_excludes": ("batch_id", "updated_at")}
_WHOLE = {"partition": ""}

LINES = table(
    STREAM,
    "curated",
    "sales_lines",
    "Lines of sales that stand, one row per line of a transaction, in the month in which it was sold.",
    ("transaction_id", "line_no"),
    [
        column.month(),
        _TRANSACTION,
        column.integer("line_no", "Line of the transaction.", ge=1),
        column.text("customer_id", "Who bought; empty for an anonymous sale.", null=True),
        column.text("customer_status", "Whether anything was told of the customer.", isin=("known", "unknown", "anonymous")),
        column.text("product_id", "What was sold; made of its name where it has no id.", null=True),
        column.text("product_name", "Its name as sold.", null=True),
        _CATEGORY,
        _REGION,
        column.day("sold_on", "Local day of the sale."),
        column.text("sold_at", "Local time of the sale (ISO 8601); empty where only a day came.", null=True),
        _quantity(),
        column.decimal("unit_price", "Price of a unit.", unit="currency units"),
        column.decimal("discount", "Share taken off the price.", unit="fraction"),
        *_amounts(),
        column.money("tax_cents", "Tax on the line, in none of the other amounts."),
        column.text("payment_method", "How it was paid.", null=True),
        column.flag("date_ambiguous", "Whether day and month of the sale could be read either way."),
        column.flag("date_other_order", "Whether they were read against the setting."),
        column.text("region_member", "What names the region however it is spelled; empty for the unknown one.", null=True),
        column.text("category_member", "What names the category however it is spelled; empty for the unknown one.", null=True),
        column.text("batch_id", "The batch of the row that stands."),
        column.instant("updated_at", "When that row was last changed where it comes from.", null=True),
    ],
    **_RUN,
)

HISTORY = table(
    STREAM,
    "curated",
    "sales_customer_history",
    "What was in force of a customer from when to when, one row per customer and version; of no month.",
    ("customer_id", "effective_from"),
    [
        column.text("customer_id", "The customer."),
        column.day("effective_from", "First day of the version."),
        column.day("effective_to", "First day of the next one; empty if this is the last.", null=True),
        _REGION,
        *_TRACKED,
    ],
    **_WHOLE,
)

FACT = table(
    STREAM,
    "gold",
    "fact_sales",
    "Lines of sales with the keys of their dimensions, one row per line of a transaction.",
    ("transaction_id", "line_no"),
    [
        column.month(),
        _TRANSACTION,
        column.integer("line_no", "Line of the transaction.", ge=1),
        column.integer("date_key", "Day of the sale (yyyymmdd)."),
        *(_key(of) for of in ("customer", "product", "region", "category")),
        column.text("customer_id", "Who bought; empty for an anonymous sale.", null=True),
        column.text("payment_method", "How it was paid.", null=True),
        _quantity(),
        column.decimal("unit_price", "Price of a unit; does not add up.", unit="currency units"),
        column.decimal("discount", "Share taken off the price; does not add up.", unit="fraction"),
        *_amounts(),
        column.money("tax_cents", "Tax on the line, in none of the other amounts."),
        column.text("batch_id", "The batch of the row that stands."),
        column.instant("updated_at", "When that row was last changed where it comes from.", null=True),
    ],
    **_RUN,
    indexes=(
        ("date_key",),
        *((f"{of}_key",) for of in ("customer", "product", "region", "category")),
        ("region_key", "date_key"),
        ("transaction_id",),
    ),
)

DIM_DATE = table(
    STREAM,
    "gold",
    "sales_dim_date",
    "The days of the month, one row per day.",
    ("date_key",),
    [
        column.month(),
        column.integer("date_key", "The day as yyyymmdd."),
        column.day("date", "The day."),
        column.integer("year", "Year."),
        column.integer("quarter", "Quarter.", ge=1, le=4),
        column.integer("month_no", "Month of the year.", ge=1, le=12),
        column.text("month_name", "Its name in English."),
        column.integer("iso_year", "Year of the ISO week."),
        column.integer("week", "ISO week.", ge=1, le=53),
        column.integer("day_of_week", "Day of the week; 1 is Monday.", ge=1, le=7),
        column.text("day_name", "Its name in English."),
        column.flag("is_weekend", "Whether it is a Saturday or a Sunday."),
    ],
)

DIM_REGION = table(
    STREAM,
    "gold",
    "sales_dim_region",
    "Regions, one row per region; of no month.",
    ("region_key",),
    [_key("region"), _REGION],
    **_WHOLE,
)

DIM_CATEGORY = table(
    STREAM,
    "gold",
    "sales_dim_category",
    "Categories, one row per category; of no month.",
    ("category_key",),
    [_key("category"), _CATEGORY],
    **_WHOLE,
)

DIM_PRODUCT = table(
    STREAM,
    "gold",
    "sales_dim_product",
    "Products as they are called now, one row per product; of no month.",
    ("product_key",),
    [
        _key("product"),
        column.text("product_id", "The product."),
        column.text("product_name", "Its name.", null=True),
        column.text("category", "Its category now."),
        column.decimal("list_price", "Price in the list.", unit="currency units", null=True),
        column.flag("is_active", "Whether it is sold.", null=True),
        column.day("first_sold", "First day on which it was sold.", null=True),
        column.day("last_sold", "Last day on which it was sold.", null=True),
    ],
    **_WHOLE,
)

DIM_CUSTOMER = table(
    STREAM,
    "gold",
    "sales_dim_customer",
    "Customers, one row per version of what was told of them, with buyers of whom nothing was told; of no month.",
    ("customer_key",),
    [
        _key("customer"),
        column.text("customer_id", "The customer."),
        column.text("customer_name", "Name, as told last.", null=True),
        column.text("email", "E-mail address, as told last.", null=True),
        column.text("phone", "Telephone number, as told last.", null=True),
        _REGION,
        *_TRACKED,
        column.integer("loyalty_points", "Points, as told last.", unit="points", null=True),
        column.day("signup_date", "When the customer signed up, as told last.", null=True),
        column.day("effective_from", "First day of the version; the first one is in force since ever."),
        column.day("effective_to", "First day of the next one; empty if this is the last.", null=True),
        column.day("known_from", "True start of the version.", null=True),
        column.flag("is_current", "Whether it is the last version."),
        column.flag("is_inferred", "Whether nothing was told of the customer yet."),
    ],
    **_WHOLE,
)

BY_REGION_CATEGORY = table(
    STREAM,
    "mart",
    "sales_by_region_category",
    "Sales by region and category as sold, one row per pair of the month.",
    ("month", "region", "category"),
    [
        column.month(),
        _REGION,
        _CATEGORY,
        column.integer("transactions", "Distinct transactions; cells do not add up.", unit="transactions", ge=1),
        column.integer("lines", "Lines.", unit="lines", ge=1),
        _quantity(),
        *_amounts(),
    ],
)

TOP_PRODUCTS = table(
    STREAM,
    "mart",
    "top_products",
    "The five products with the most revenue, one row per rank, of the month and of the year up to it.",
    ("month", "period", "rank"),
    [
        column.month(),
        column.text("period", "The month alone, or the year up to it.", isin=("month", "ytd")),
        column.integer("rank", "Rank by total.", ge=1, le=5),
        column.text("product_id", "The product."),
        column.text("product_name", "Its name.", null=True),
        _quantity(),
        column.money("total_cents", "What it was sold for, without tax."),
        column.ratio("share", "Share of the period's total."),
    ],
)

TREND = table(
    STREAM,
    "mart",
    "sales_trend",
    "Sales of the month beside those of the month before and of a year ago, one row per month.",
    ("month",),
    [
        column.month(),
        column.integer("transactions", "Distinct transactions.", unit="transactions", ge=0),
        column.integer("customers", "Distinct customers who bought.", unit="customers", ge=0),
        _quantity(),
        column.money("total_cents", "What was sold for, without tax."),
        column.money("previous_cents", "The same of the month before."),
        column.money("change_cents", "Change against it."),
        column.ratio("change_pct", "Change over the month before; empty where that is 0."),
        column.money("year_ago_cents", "The same of the month a year ago."),
        column.money("year_change_cents", "Change against it."),
        column.ratio("year_change_pct", "Change over the month a year ago; empty where that is 0."),
    ],
)

DISCOUNTS = table(
    STREAM,
    "mart",
    "discount_by_region",
    "Discounts by region, one row per region of the month.",
    ("month", "region"),
    [
        column.month(),
        _REGION,
        column.integer("lines", "Lines.", unit="lines", ge=1),
        column.ratio("mean_discount", "Mean of the discounts over the lines."),
        column.ratio("weighted_discount", "Discount over gross."),
    ],
)

HIGH_VALUE = table(
    STREAM,
    "mart",
    "high_value_transactions",
    "Transactions of high value, one row per transaction and month.",
    ("month", "transaction_id"),
    [
        column.month(),
        _TRANSACTION,
        column.text("customer_id", "Who bought, by the first line.", null=True),
        column.day("sold_on", "Local day of the first line."),
        _REGION,
        column.money("total_cents", "What its lines of the month were sold for, without tax."),
    ],
)

KPIS = table(
    STREAM,
    "mart",
    "sales_kpis",
    "Headline figures, one row per month.",
    ("month",),
    [
        column.month(),
        column.integer("transactions", "Distinct transactions.", unit="transactions", ge=0),
        column.money("total_cents", "What was sold for, without tax."),
        column.integer("average_sale_cents", "Total over transactions.", unit="cents", null=True),
        column.integer("buying_customers", "Distinct customers who bought.", unit="customers", ge=0),
        column.integer("customers", "Customers of whom anything was told by the end of the month.", unit="customers", ge=0),
        column.integer("high_value_transactions", "Transactions of high value.", unit="transactions", ge=0),
        column.money("high_value_total_cents", "Their total."),
        column.money("year_to_date_cents", "Total of the year up to the month."),
        column.integer("loyalty_points", "Points of the customers.", unit="points"),
    ],
)

LOYALTY = table(
    STREAM,
    "mart",
    "loyalty_by_region",
    "Customers and their points by region on the last day of the month, one row per region.",
    ("month", "region"),
    [
        column.month(),
        _REGION,
        column.integer("customers", "Customers.", unit="customers", ge=1),
        column.integer("loyalty_points", "Their points.", unit="points"),
        column.ratio("share", "Share of all points."),
    ],
)

_score = partial(column.integer, ge=1, le=5)

CUSTOMER_VALUE = table(
    STREAM,
    "mart",
    "customer_value",
    "What the customers of the last twelve months bought, one row per customer and month.",
    ("month", "customer_id"),
    [
        column.month(),
        column.text("customer_id", "The customer."),
        column.integer("transactions", "Distinct transactions of the month.", unit="transactions", ge=0),
        column.money("total_cents", "Total of the month."),
        column.integer("transactions_12m", "Distinct transactions of twelve months.", unit="transactions", ge=1),
        column.money("total_12m_cents", "Total of twelve months."),
        column.day("last_purchase", "Last day of a purchase."),
        column.integer("recency_days", "Days from it to the end of the month.", unit="days", ge=0),
        _score("r_score", "How recent, against the others: 5 is best."),
        _score("f_score", "How often, against the others: 5 is best."),
        _score("m_score", "How much, against the others: 5 is best."),
    ],
)

LIFETIME = table(
    STREAM,
    "mart",
    "customer_lifetime",
    "What every customer ever bought, one row per customer; of no month.",
    ("customer_id",),
    [
        column.text("customer_id", "The customer."),
        column.day("first_purchase", "First day of a purchase."),
        column.day("last_purchase", "Last day of a purchase."),
        column.integer("transactions", "Distinct transactions.", unit="transactions", ge=1),
        column.money("total_cents", "Total."),
    ],
    **_WHOLE,
)

REFUSED = table(
    STREAM,
    "mart",
    "refused_sales",
    "Why rows of transactions were refused, one row per reason and month; a row with two reasons counts in both.",
    ("month", "reason"),
    [
        column.month(),
        column.text("reason", "The reason in words, with the column that it names."),
        column.integer("rows", "Rows that were refused for it.", unit="rows", ge=1),
    ],
)

LEDGER_LINES = table(
    STREAM,
    "curated",
    "sales_ledger_lines",
    "Lines of the ledger with the members that they are booked on, one row per document line of the month.",
    ("document_id", "line_no"),
    [
        column.text("document_id", "The document."),
        column.integer("line_no", "Line of the document.", ge=1),
        column.text("document_type", "Kind of document.", isin=("journal", "reversal")),
        column.month(),
        _REGION,
        column.text("category", "Category, as the first accepted row wrote it."),
        column.money("amount_cents", "Revenue booked."),
        column.instant("posted_at", "When it was posted."),
        column.text("reverses_document_id", "The document that it takes back.", null=True),
        column.flag("late", "Whether it was posted after the month's cutoff."),
    ],
)
