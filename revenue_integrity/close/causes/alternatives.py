"""Other readings of what is due: billed is what an earlier version, another policy, an older reading would have given.

Belongs here: whether what was billed fits an alternative. Does not belong here: making alternatives (each stream knows its own).

An alternative has ``row``, ``rank`` (the smallest that fits is the cause; of equal ones that which gives the nearest amount) and
``cents``, what it gives for the row in total; one that is made of parts has parts of its own: ``alternative``, ``quantity``,
``price``, ``cents``, in the scale of the items.
"""

from typing import Any

import pandas as pd

from revenue_integrity.close.causes.items import counts, sums


def first_equal(alternatives: pd.DataFrame, billed: "pd.Series[Any]", tolerance: "pd.Series[Any] | int" = 0) -> pd.DataFrame:
    """Return of each row the first alternative that gives what was billed, within a tolerance (one for all, or by row)."""
    known = alternatives[alternatives["row"].isin(billed.index)]
    allowed = known["row"].map(tolerance) if isinstance(tolerance, pd.Series) else tolerance
    return _first(known[(known["row"].map(billed) - known["cents"]).abs() <= allowed])


def first_fitting(alternatives: pd.DataFrame, parts: pd.DataFrame, billed: pd.DataFrame) -> pd.DataFrame:
    """Return of each row the first alternative whose prices, quantities at each price, and amounts are those billed.

    To the rounding of each item and part; every price billed is one of the alternative's. What is billed at a price may stand
    in other items than the alternative's parts.
    """
    index, rows = alternatives.index, alternatives["row"]
    items = rows.map(counts(billed, pd.Index(rows.unique())))
    pieces = counts(parts, index, by="alternative")
    cents = (rows.map(sums(billed, "cents", pd.Index(rows.unique()))) - sums(parts, "cents", index, by="alternative")).abs()
    fits = (items > 0) & ~index.isin(_with_another_quantity(alternatives, parts, billed))
    fits &= cents <= items.where(items > pieces, pieces)
    return _first(alternatives.assign(away=cents)[fits]).drop(columns="away")


def _with_another_quantity(alternatives: pd.DataFrame, parts: pd.DataFrame, billed: pd.DataFrame) -> "pd.Index[Any]":
    """Return the alternatives at one of whose prices another quantity is billed, or that lack a price that is billed."""
    key = ["alternative", "price"]
    of_rows = alternatives[["row"]].rename_axis("alternative").reset_index()
    sides = [
        of_rows.merge(billed[["row", "price", "quantity"]], on="row").assign(sign=1),
        parts.loc[parts["alternative"].isin(alternatives.index), [*key, "quantity"]].assign(sign=-1),
    ]
    both = pd.concat(sides, ignore_index=True).assign(signed=lambda found: found["quantity"] * found["sign"])
    per_price = both.groupby(key).agg(off=("signed", "sum"), items=("sign", "size"))
    differs = per_price["off"].abs() > per_price["items"]
    return pd.Index(per_price.index[differs].get_level_values("alternative").unique())


def _first(alternatives: pd.DataFrame) -> pd.DataFrame:
    by = ["row", "rank", "away"] if "away" in alternatives else ["row", "rank"]
    return alternatives.sort_values(by, kind="stable").drop_duplicates("row")
