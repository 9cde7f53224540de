"""Rules of the answers: who bought what where, and how it compares.

Belongs here: the queries of the mart and what each reads. Does not belong here: the star schema (``gold``), reconciliations
(``recon``).
"""

from datetime import date

from revenue_integrity import months
from revenue_integrity.close.evidence import evidence_slice
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.rule import Reads, Rule, raw, same_month
from revenue_integrity.model.table import Table
from revenue_integrity.streams.sales import schemas
from revenue_integrity.streams.sales.curated import PACKAGE, SPELLINGS, all_rows, historic
from revenue_integrity.streams.sales.settings import SalesSettings
from revenue_integrity.streams.sales.sources import STREAM

_KPIS = historic("mart/sales_kpis")
_LOYALTY = historic("mart/loyalty_by_region")


def _given(month: date, settings: SalesSettings) -> dict[str, object]:
    return {
        "month": month,
        "month_end": months.last_day(month),
        "month_before": months.add(month, -1),
        "year_ago": months.add(month, -12),
        "first": months.add(month, -11),
        "high_value_cents": settings.high_value_cents,
        "sales_timezone": settings.sales_timezone,
    }


def _of_month(table: Table, *reads: Reads, settings: tuple[str, ...] = ()) -> Rule:
    path = f"mart/{table.name}"

    def answer(month: date, own: SalesSettings) -> Query:
        return load_query(PACKAGE, path, **_given(month, own))

    answer.__doc__ = table.description
    return Rule(table, answer, (same_month("curated", "sales_lines"), *reads), settings, (path,))


def sales_kpis(month: date, settings: SalesSettings) -> Query:
    """Return the headline figures of the month."""
    return _KPIS.query(**_given(month, settings))


def loyalty_by_region(month: date, settings: SalesSettings) -> Query:
    """Return customers and their points by region on the last day of the month."""
    return _LOYALTY.query(**_given(month, settings))


def refused_sales(month: date, settings: SalesSettings) -> Query:
    """Return why rows of the month were refused."""
    return load_query(PACKAGE, "mart/refused_sales", month=month)


def customer_lifetime(month: date, settings: SalesSettings) -> Query:
    """Return what every customer ever bought; it belongs to no month."""
    return load_query(PACKAGE, "mart/customer_lifetime")


_YEAR = Reads("raw", "sales_transactions", -11, 0)
_TREND = Reads("raw", "sales_transactions", -12, -1)

RULES = (
    _of_month(schemas.BY_REGION_CATEGORY),
    _of_month(schemas.TOP_PRODUCTS, _YEAR, raw("sales_products")),
    _of_month(schemas.TREND, _TREND),
    _of_month(schemas.DISCOUNTS),
    _of_month(schemas.HIGH_VALUE, settings=("high_value_cents",)),
    Rule(
        schemas.KPIS,
        sales_kpis,
        (same_month("curated", "sales_lines"), _YEAR, raw("sales_customers"), *SPELLINGS),
        ("high_value_cents", "sales_timezone"),
        (_KPIS,),
    ),
    Rule(
        schemas.LOYALTY,
        loyalty_by_region,
        (raw("sales_customers"), *SPELLINGS),
        ("sales_timezone",),
        (_LOYALTY,),
    ),
    _of_month(schemas.CUSTOMER_VALUE, _YEAR),
    Rule(schemas.REFUSED, refused_sales, (raw(evidence_slice(STREAM)),), sql=("mart/refused_sales",)),
)

WHOLE = (Rule(schemas.LIFETIME, customer_lifetime, all_rows("transactions"), sql=("mart/customer_lifetime",)),)
"""Tables without a month."""
