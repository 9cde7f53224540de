"""Rows that are refused: what is wrong with each, for every reason that there is.

Belongs here: how a row as it should be becomes one that nobody can use. Does not belong here: which rows (``faults``).

A row is either *real*, a sale that can be read, so accounting, the processor and the shop's own count have it, or *junk* that
nobody counts (a till that was tried out), because nobody could say what it is worth.
"""

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

TWICE = "__twice__"
"""A name that the writer writes once more, for no object in Python has a name twice."""


def _set(**values: Any) -> Callable[[Row], None]:
    return lambda row: row.update(values)


def _without(*names: str) -> Callable[[Row], None]:
    def spoil(row: Row) -> None:
        for name in names:
            row.pop(name, None)

    return spoil


def _other_tax(row: Row) -> None:
    row["tax"] = "-0.07" if float(row["quantity"]) > 0 else "0.07"


REAL: dict[str, Callable[[Row], None]] = {
    "no_customer": _set(customer_id=None),
    "customer_unknown": _set(customer_id="UNKNOWN"),
    "foreign_currency": _set(currency="EUR"),
    "tax_of_other_sign": _other_tax,
    "tax_that_is_none": _set(tax="about 5"),
    "changed_in_the_future": _set(updated_at="2198-01-01T00:00:00Z"),
    "product_is_text": _set(product="Lamp"),
    "line_below_one": _set(line_no=0),
    "name_with_nul": _set(product_name="La\x00mp"),
}
"""What makes a row bad that can be read all the same."""

IN_BASKETS = ("no_customer", "customer_unknown", "foreign_currency")
"""Those that may befall a whole basket."""

RETURNED = "quantity_not_positive"
"""A return, which this shop must not send as a sale."""

JUNK: dict[str, Callable[[Row], None]] = {
    "no_price": _without("unit_price"),
    "price_is_null": _set(unit_price=None),
    "price_with_sign": _set(unit_price="$5"),
    "price_with_comma": _set(unit_price="1,000"),
    "price_is_nan": _set(unit_price=float("nan")),
    "price_is_true": _set(unit_price=True),
    "no_quantity": _set(quantity=None),
    "quantity_with_unit": _set(quantity="12 oz"),
    "no_date": _without("transaction_date"),
    "day_that_is_none": _set(transaction_date="2024-02-30"),
    "year_of_two_digits": _set(transaction_date="3/4/24"),
    "year_far_away": _set(transaction_date="2950-01-01"),
    "discount_above_one": _set(discount=10),
    "discount_with_comma": _set(discount="0,1"),
    "discount_is_true": _set(discount=True),
    "more_than_any_sale": _set(unit_price="99999999999999"),
    "no_transaction": _set(transaction_id="N/A", unit_price="free"),
    "basket_of_nothing": _set(items=[], unit_price=None),
    "region_is_an_object": _set(region={"name": "North"}, unit_price=None),
    "name_twice": _set(**{TWICE: "region", "unit_price": None}),
}
"""What makes a row bad of which nobody knows what it is worth."""
