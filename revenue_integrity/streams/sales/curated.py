"""Rules of the curated tables: lines that stand, and the history of customers.

Belongs here: the queries of the curated layer and what each reads. Does not belong here: ingestion (``sources``), the star
schema (``gold``).
"""

from datetime import date

from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.close.history import History
from revenue_integrity.model.query import Query, Sql, Template, load_query
from revenue_integrity.model.rule import Reads, Rule, all_of, raw
from revenue_integrity.streams.sales import schemas
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.sources import STREAM

PACKAGE = "revenue_integrity.streams.sales"

CUSTOMER_HISTORY = History(
    key=("customer_id",),
    tracked=("region_member", "city", "country", "loyalty_tier"),
    untracked=("customer_name", "email", "phone", "loyalty_points", "signup_date"),
    statements="curated/statements",
    order=("changed_at", "arrival", "file_name", "row_number"),
    stated=("changed_at", "told_at"),
    named=(("region_member", "region"),),
)
"""What was told of customers (60-utility, *The history of a dimension*)."""


def historic(path: str) -> Sql:
    """Return a text of the stream that rests on the history of customers."""
    return Sql(PACKAGE, Template(path, (("history", CUSTOMER_HISTORY),)))


SPELLINGS = (
    raw("sales_spellings"),
    *(raw(f"sales_spellings_of_{source}") for source in ("customers", "products", "ledger")),
)
"""How members are spelled: as the first accepted row wrote them, of whatever month."""

_HISTORY = historic("curated/sales_customer_history")


def sales_lines(month: date, settings: SalesSettings) -> Query:
    """Return the lines of the month that stand."""
    return load_query(PACKAGE, "curated/sales_lines", month=month)


def ledger_lines(month: date, settings: SalesSettings) -> Query:
    """Return lines of the ledger with the members that they are booked on; late are those posted after the cutoff."""
    return load_query(PACKAGE, "curated/sales_ledger_lines", month=month, cutoff=cutoff(month, settings))


def customer_history(month: date, settings: SalesSettings) -> Query:
    """Return all versions of customers; they belong to no month."""
    return _HISTORY.query(sales_timezone=settings.sales_timezone)


RULES = (
    Rule(
        schemas.LINES,
        sales_lines,
        (raw("sales_transactions"), raw("sales_products"), raw("sales_customers"), *SPELLINGS),
        sql=("curated/sales_lines",),
    ),
    Rule(
        schemas.LEDGER_LINES,
        ledger_lines,
        (raw("sales_ledger"), *SPELLINGS),
        CALENDAR_SETTINGS,
        ("curated/sales_ledger_lines",),
    ),
)

REGIONS = ("customers", "ledger", "transactions")
"""Sources whose rows name regions."""

CATEGORIES = ("ledger", "products", "transactions")
"""Sources whose rows name categories."""


def all_rows(*sources: str) -> tuple[Reads, ...]:
    """Read all rows of some sources."""
    return tuple(all_of("raw", f"{STREAM}_{source}") for source in sorted(set(sources)))


WHOLE = (Rule(schemas.HISTORY, customer_history, all_rows("customers", *REGIONS), ("sales_timezone",), (_HISTORY,)),)
"""Tables without a month."""
