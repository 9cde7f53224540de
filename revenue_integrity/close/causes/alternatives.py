"""Other readings of what is due: billed is what an earlier version, another policy, an older reading would have given.

Belongs here: whether what was billed fits an alternative. Does not belong here: making alternatives (each stream knows its own).

An alternative has ``row``, ``rank`` (the smallest that fits is the cause) and ``cents``, what it gives for the row in total; one
that is made of parts has parts of its own: ``alternative``, ``quantity``, ``price``, ``cents``, in the scale of the items.
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
    """Return of each row the first alternative whose prices, quantities and amounts are those billed.

    To the rounding of each item and part; every price billed is one of the alternative's.
    """
    index, rows = alternatives.index, alternatives["row"]
    of_rows = pd.Index(rows.unique())
    items = rows.map(counts(billed, of_rows))
    pieces = counts(parts, index, by="alternative")
    quantity = rows.map(sums(billed, "quantity", of_rows)) - sums(parts, "quantity", index, by="alternative")
    cents = rows.map(sums(billed, "cents", of_rows)) - sums(parts, "cents", index, by="alternative")
    fits = (
        (items > 0)
        & ~index.isin(_with_other_prices(alternatives, parts, billed))
        & (quantity.abs() <= items + pieces)
        & (cents.abs() <= items.where(items > pieces, pieces))
    )
    return _first(alternatives[fits])


def _with_other_prices(alternatives: pd.DataFrame, parts: pd.DataFrame, billed: pd.DataFrame) -> "pd.Index[Any]":
    """Return the alternatives for whose rows a price is billed that they do not have."""
    prices = (
        alternatives[["row"]].rename_axis("alternative").reset_index().merge(billed[["row", "price"]].drop_duplicates(), on="row")
    )
    known = parts[["alternative", "price"]].drop_duplicates().assign(known=True)
    found = prices.merge(known, on=["alternative", "price"], how="left")
    return pd.Index(found.loc[found["known"].isna(), "alternative"].unique())


def _first(alternatives: pd.DataFrame) -> pd.DataFrame:
    return alternatives.sort_values(["row", "rank"], kind="stable").drop_duplicates("row")
