"""Rules of the star schema: facts of a month with the keys of their dimensions, and the dimensions.

Belongs here: the queries of the schema ``gold`` and what each reads. Does not belong here: answers made from it (``mart``).
"""

from datetime import date
from functools import partial

from revenue_integrity import months
from revenue_integrity.model.query import Query, Sql, Template, load_query
from revenue_integrity.model.rule import Rule, raw, same_month
from revenue_integrity.streams.sales import schemas
from revenue_integrity.streams.sales.curated import CATEGORIES, PACKAGE, REGIONS, all_rows, historic
from revenue_integrity.streams.sales.settings import SalesSettings

_FACT = historic("gold/fact_sales")


def fact_sales(month: date, settings: SalesSettings) -> Query:
    """Return the lines of the month with the keys of their dimensions."""
    return _FACT.query(month=month, month_end=months.last_day(month), sales_timezone=settings.sales_timezone)


def dim_date(month: date, settings: SalesSettings) -> Query:
    """Return the days of the month."""
    return load_query(PACKAGE, "gold/sales_dim_date", month=month, month_end=months.last_day(month))


RULES = (
    Rule(
        schemas.FACT,
        fact_sales,
        (same_month("curated", "sales_lines"), raw("sales_customers")),
        ("sales_timezone",),
        (_FACT,),
    ),
    Rule(schemas.DIM_DATE, dim_date, (), sql=("gold/sales_dim_date",)),
)


def _whole(text: Sql, month: date, settings: SalesSettings) -> Query:
    return text.query(sales_timezone=settings.sales_timezone)


def _plain(path: str) -> Sql:
    return Sql(PACKAGE, Template(path, ()))


_DIMENSIONS = (
    (schemas.DIM_REGION, historic("gold/sales_dim_region"), REGIONS),
    (schemas.DIM_CATEGORY, _plain("gold/sales_dim_category"), CATEGORIES),
    (schemas.DIM_PRODUCT, _plain("gold/sales_dim_product"), CATEGORIES),
    (schemas.DIM_CUSTOMER, historic("gold/sales_dim_customer"), REGIONS),
)

WHOLE = tuple(
    Rule(table, partial(_whole, text), all_rows(*read), ("sales_timezone",), (text,)) for table, text, read in _DIMENSIONS
)
"""Tables without a month."""
