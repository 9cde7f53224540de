"""The same thing twice: documents that repeat one that is there already.

Belongs here: finding what repeats what. Does not belong here: how many are due (the stream says), whether a repeat explains
anything (it does if what is left of the row comes nearer to 0 without it).
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def repeats(items: pd.DataFrame, alike: Sequence[str]) -> pd.DataFrame:
    """Return the items with ``group``, ``copy`` and ``copies``: which are alike, in which document of theirs an item stands.

    Items are alike if equal in the columns ``alike``; ``copy`` counts the documents of a group from 0, in the order of their
    items: by ``content``, in which names have no part, then by ``order``. A document that says the same in several items is
    one copy.
    """
    group = items.groupby(list(alike), sort=False, dropna=False).ngroup()
    in_order = items.assign(group=group).sort_values(["group", "order"], kind="stable")
    by_document = in_order.groupby(["group", "document"], sort=False)
    keys = pd.DataFrame({"content": by_document["content"].agg(tuple), "order": by_document["order"].agg(tuple)}).reset_index()
    # Tuples are put in order here: pandas has no order of them.
    keys = keys.loc[sorted(keys.index, key=lambda each: (keys.loc[each, "content"], keys.loc[each, "order"]))]
    keys["copy"] = keys.groupby("group", sort=False).cumcount()
    keys["copies"] = keys.groupby("group", sort=False)["document"].transform("size")
    found = in_order.reset_index(names="item").merge(keys[["group", "document", "copy", "copies"]], on=["group", "document"])
    return found.sort_values(["group", "copy", "order"], kind="stable").set_index("item")


def is_nearer(rest: "pd.Series[Any]", cents: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whether a rest comes nearer to 0 without an amount."""
    return (rest - cents).abs() < rest.abs()
