"""What is left when nothing else explains it: a difference of price and one of quantity.

Belongs here: setting items against charges, and splitting their difference. Does not belong here: a reason; the split says how a
difference is made up, not why it is there.

Of items it looks at ``quantity`` and ``price``, whole numbers of one scale: quantity × price ÷ ``per_cent`` is cents.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.close.causes.items import in_line, paired
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
    What one pair bills too much and another too little of a row is one quantity billed as another: it differs by its price alone.
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
    return _netted(Split(_split(pairs[["row"]], sides[0], sides[1], per_cent), sides[0], sides[1]), per_cent)


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
    return made.assign(
        quantity_cents=quantity,
        price_cents=(total - quantity).where(~is_same_price, 0),
        more=more.where(~is_same_quantity, 0),
    )


def _netted(found: Split, per_cent: int) -> Split:
    """Set what pairs of a row bill too much against what others of it bill too little, at one price due first, then in order.

    As if the line had billed the charge: its quantity is right, and what its price differs from the one due is all that is
    wrong. Cents that rounding leaves stand with a difference that is named.
    """
    pairs = found.pairs
    side = np.sign(pairs["more"])
    rows = pairs["row"][side > 0]
    rows = rows[rows.isin(pairs.loc[side < 0, "row"])]
    if rows.empty:
        return found
    pairs = pairs.assign(total=pairs["cents"] - pairs["cents_due"], quantity_left=pairs["more"].abs())
    met = []
    for by in (["row", "price_due"], ["row"]):
        of_rows = pairs[pairs["row"].isin(rows) & (pairs["quantity_left"] > 0)]
        part = in_line(of_rows[of_rows["more"] > 0], of_rows[of_rows["more"] < 0], by, "quantity_left")
        for end in ("one", "other"):
            took = part.groupby(end)["part"].sum().reindex(pairs.index, fill_value=0)
            pairs = pairs.assign(quantity_left=pairs["quantity_left"] - took)
        met.append(part)
    moved = pd.concat(met, ignore_index=True)
    over, under = pairs.loc[moved["one"]].reset_index(drop=True), pairs.loc[moved["other"]].reset_index(drop=True)
    took = pairs["more"].abs() - pairs["quantity_left"]
    touched = took > 0
    # A line beside which no charge stands bills its rest; one that stands in a pair bills what is due elsewhere, too.
    is_alone = pairs["charges"] == 0
    pairs["quantity"] = (pairs["quantity"] - took).where(is_alone & touched, pairs["quantity"])
    pairs["quantity_due"] = (pairs["quantity_due"] + took * np.sign(pairs["more"])).where(~is_alone, pairs["quantity_due"])
    rest = _value(pairs["quantity_left"], pairs["price_due"], per_cent) * np.sign(pairs["more"])
    pairs["quantity_cents"] = pairs["quantity_cents"].mask(touched, rest)
    # What is billed as another charge differs from its price, not from that of the charge that the line stands beside.
    elsewhere = over["price_due"] != under["price_due"]
    own = _value(moved["part"], over["price"] - over["price_due"], per_cent)[elsewhere].groupby(moved["one"]).sum()
    pairs["price_cents"] -= own.reindex(pairs.index, fill_value=0)
    moves = under.assign(
        quantity=moved["part"], quantity_due=moved["part"], price=over["price"], items=1, quantity_cents=0,
        price_cents=_value(moved["part"], over["price"] - under["price_due"], per_cent), more=0, total=0,
        over=moved["one"], under=moved["other"],
    )[elsewhere]  # fmt: skip
    moves.index = pd.RangeIndex(pairs.index.max() + 1, pairs.index.max() + 1 + len(moves))
    made = pd.concat([pairs, moves.drop(columns=["over", "under"])])
    sides = [
        pd.concat([items, *(items[items["pair"] == end].assign(pair=number) for number, end in moves[name].items())])
        for name, items in (("over", found.left), ("under", found.right))
    ]
    return Split(_with_cents_left(made, rows), sides[0], sides[1])


def _with_cents_left(pairs: pd.DataFrame, rows: "pd.Series[Any]") -> pd.DataFrame:
    """Return pairs of which those of some rows add up again: a difference of price takes what rounding left, else of quantity."""
    of_rows = pairs[pairs["row"].isin(rows)]
    left = of_rows.assign(left=of_rows["total"] - of_rows["quantity_cents"] - of_rows["price_cents"]).groupby("row")["left"].sum()
    for name in ("price_cents", "quantity_cents"):
        named = pairs[pairs["row"].isin(left.index[left != 0]) & (pairs[name] != 0)].drop_duplicates("row")
        pairs[name] += named["row"].map(left).reindex(pairs.index, fill_value=0)
        left = left.mask(left.index.isin(named["row"]), 0)
    return pairs


def _explained_by_itself(items: pd.DataFrame, per_cent: int) -> "pd.Series[Any]":
    """Return each item's amount as far as its quantity and price explain it (to the cent that rounding takes)."""
    value = _value(items["quantity"], items["price"], per_cent)
    return items["cents"].where((items["cents"] - value).abs() <= 1, value)


def _value(quantity: "pd.Series[Any]", price: "pd.Series[Any]", per_cent: int) -> "pd.Series[Any]":
    """Return quantity × price in cents, rounded once; exact however large the product is."""
    product = quantity.to_numpy(dtype=object) * price.to_numpy(dtype=object)
    return pd.Series(rounded(product, per_cent).astype("int64"), index=quantity.index)
