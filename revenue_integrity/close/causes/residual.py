"""What is left when nothing else explains it: a difference of price and one of quantity.

Belongs here: setting items against charges, and splitting their difference. Does not belong here: a reason; the split says how a
difference is made up, not why it is there.

Of items it looks at ``quantity`` and ``price``, whole numbers of one scale: quantity × price ÷ ``per_cent`` is cents.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.close.causes.items import paired
from revenue_integrity.exact import rounded


@dataclass(frozen=True)
class Split:
    """Items set against charges, and how price and quantity make up the difference.

    Attributes:
        pairs: ``row``, ``price_cents``, ``quantity_cents``, ``quantity`` and ``quantity_due``, ``price`` and ``price_due``.
        left: the items with the ``pair`` that each stands in.
        right: the charges with the ``pair`` that each stands in.
    """

    pairs: pd.DataFrame
    left: pd.DataFrame
    right: pd.DataFrame


def split(rows: "pd.Index[Any]", left: pd.DataFrame, right: pd.DataFrame, per_cent: int) -> Split:
    """Return how price and quantity make up the difference of each row, in cents.

    Where a row has one price on either side its items are taken together; otherwise they are set against the charges one by
    one, equal quantity and price first, then equal quantity, then equal price, then in order. Quantity counts at the price due,
    the rest is price; an item against which no charge stands bills a quantity of which none is due, at its own price. An item
    that bills a quantity of nothing takes no charge from one that bills something: both would seem wrong by all of theirs.
    """
    left, right = left[left["row"].isin(rows)], right[right["row"].isin(rows)]
    bills = left["quantity"] != 0
    left = left[bills | ~left["row"].isin(left.loc[bills, "row"])]
    together = rows[_one_price(left, rows) & _one_price(right, rows)]
    likenesses = (("quantity", "price"), ("quantity",), ("price",), ())
    one_by_one = paired(left[~left["row"].isin(together)], right[~right["row"].isin(together)], likenesses)
    pairs = pd.concat([pd.DataFrame({"row": together}), one_by_one], ignore_index=True)
    number = pd.Series(pairs.index[: len(together)], index=together)
    sides = []
    for name, items in (("left", left), ("right", right)):
        alone = one_by_one[name].reset_index(drop=True)
        of_pair = pd.Series(alone.index + len(together), index=alone).loc[lambda found: found.index.notna()]
        of_items = of_pair.reindex(items.index)
        pair = items["row"].map(number).where(items["row"].isin(together), of_items)
        sides.append(items.assign(pair=pair.astype("int64")))
    return Split(_split(pairs[["row"]], sides[0], sides[1], per_cent), sides[0], sides[1])


def _one_price(items: pd.DataFrame, rows: "pd.Index[Any]") -> "np.ndarray[Any, Any]":
    return np.asarray(items.groupby("row")["price"].nunique().reindex(rows, fill_value=0) == 1)


def _split(pairs: pd.DataFrame, left: pd.DataFrame, right: pd.DataFrame, per_cent: int) -> pd.DataFrame:
    of_left = (
        left.assign(cents=_explained_by_itself(left, per_cent))
        .groupby("pair")
        .agg(items=("cents", "size"), cents=("cents", "sum"), quantity=("quantity", "sum"), price=("price", "first"))
    )
    of_right = right.groupby("pair").agg(
        charges=("cents", "size"), cents_due=("cents", "sum"), quantity_due=("quantity", "sum"), price_due=("price", "first")
    )
    made = pairs.join(of_left).join(of_right)
    counted = ["items", "cents", "quantity", "charges", "cents_due", "quantity_due"]
    made = made.fillna(dict.fromkeys(counted, 0)).astype(dict.fromkeys(counted, "int64"))
    made["price_due"] = made["price_due"].fillna(made["price"]).astype("int64")
    made["price"] = made["price"].fillna(made["price_due"]).astype("int64")
    total = made["cents"] - made["cents_due"]
    more = made["quantity"] - made["quantity_due"]
    is_same_price = made["price"] == made["price_due"]
    is_same_quantity = (more.abs() <= made["items"] + made["charges"]) & (made["items"] > 0) & (made["charges"] > 0)
    quantity = _value(more, made["price_due"], per_cent).where(~is_same_price, total).where(~is_same_quantity, 0)
    return made.assign(quantity_cents=quantity, price_cents=(total - quantity).where(~is_same_price, 0))


def _explained_by_itself(items: pd.DataFrame, per_cent: int) -> "pd.Series[Any]":
    """Return each item's amount as far as its quantity and price explain it (to the cent that rounding takes)."""
    value = _value(items["quantity"], items["price"], per_cent)
    return items["cents"].where((items["cents"] - value).abs() <= 1, value)


def _value(quantity: "pd.Series[Any]", price: "pd.Series[Any]", per_cent: int) -> "pd.Series[Any]":
    """Return quantity × price in cents, rounded once; exact however large the product is."""
    product = quantity.to_numpy(dtype=object) * price.to_numpy(dtype=object)
    return pd.Series(rounded(product, per_cent).astype("int64"), index=quantity.index)
