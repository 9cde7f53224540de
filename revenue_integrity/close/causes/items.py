"""Items of a row: which of them prove something, and looking at them one after the other across all rows at once.

Belongs here: what several kinds of causes do with items. Does not belong here: any cause.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd


def sums(items: pd.DataFrame, column: str, index: "pd.Index[Any]", by: str = "row") -> "pd.Series[Any]":
    """Return the sum of a column per group of items, 0 where a group has none."""
    return items.groupby(by, sort=False)[column].sum().reindex(index, fill_value=0)


def counts(items: pd.DataFrame, index: "pd.Index[Any]", by: str = "row") -> "pd.Series[Any]":
    """Return the number of items per group, 0 where a group has none."""
    return items.groupby(by, sort=False).size().reindex(index, fill_value=0).astype("int64")


def at(values: "pd.Series[Any]", keys: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the value of each key, in the order of the keys and under their index."""
    return values.reindex(keys.to_numpy()).set_axis(keys.index)


def proof(items: pd.DataFrame, cents: "pd.Series[Any]", by: str = "row", tolerance: int = 1) -> pd.DataFrame:
    """Return the items of each group whose amount is that of the group in ``cents``, or all of them where none is."""
    wanted = items[by].map(cents)
    known = items[wanted.notna()]
    is_it = (known["cents"] - wanted[wanted.notna()]).abs() <= tolerance
    has_one = is_it.groupby(known[by], sort=False).transform("any")
    return known[is_it | ~has_one]


def in_turn(frame: pd.DataFrame, by: str) -> Iterator[pd.DataFrame]:
    """Yield the first of each group, then the second, and so on: what a later one sees depends on the earlier ones."""
    place = frame.groupby(by, sort=False).cumcount()
    for turn in range(int(place.max()) + 1 if len(frame) else 0):
        yield frame[place == turn]


def paired(left: pd.DataFrame, right: pd.DataFrame, likenesses: Sequence[Sequence[str]], by: str = "row") -> pd.DataFrame:
    """Return the items of both sides in pairs: those alike in the first columns first, then in the second, and so on.

    ``left`` and ``right`` are index values of the items in the order of pairing, null where an item has no counterpart.
    Alike items pair in their order; each likeness pairs only what the ones before have left.
    """
    found = []
    waiting_left, waiting_right = left, right
    for number, columns in enumerate(likenesses):
        key = [by, *columns]
        numbered = [
            each[key].assign(place=each.groupby(key, sort=False, dropna=False).cumcount()).rename_axis(name).reset_index()
            for name, each in (("left", waiting_left), ("right", waiting_right))
        ]
        pairs = numbered[0].merge(numbered[1], on=[*key, "place"], how="inner")[[by, "left", "right"]]
        found.append(pairs.assign(turn=number))
        waiting_left = waiting_left[~waiting_left.index.isin(pairs["left"])]
        waiting_right = waiting_right[~waiting_right.index.isin(pairs["right"])]
    alone = [
        waiting_left[[by]].rename_axis("left").reset_index().assign(right=np.nan, turn=len(likenesses)),
        waiting_right[[by]].rename_axis("right").reset_index().assign(left=np.nan, turn=len(likenesses) + 1),
    ]
    result = pd.concat([*found, *alone], ignore_index=True).astype({"left": "Int64", "right": "Int64"})
    return result.sort_values([by, "turn"], kind="stable", ignore_index=True)[[by, "left", "right"]]


def in_line(one: pd.DataFrame, other: pd.DataFrame, by: Sequence[str], amount: str) -> pd.DataFrame:
    """Return which part of which item of a side meets which of the other: ``one``, ``other`` (index values), ``part``.

    The items of each group stand in line in their order, ``amount`` long each; what comes to lie beside each other meets.
    """
    ends = [
        items[[*by, amount]].assign(until=items.groupby(list(by), sort=False)[amount].cumsum(), item=items.index)
        for items in (one, other)
    ]
    both = ends[0].merge(ends[1], on=list(by), suffixes=("_one", "_other"))
    begins = [both[f"until_{end}"] - both[f"{amount}_{end}"] for end in ("one", "other")]
    part = np.minimum(both["until_one"], both["until_other"]) - np.maximum(begins[0], begins[1])
    met = both.rename(columns={"item_one": "one", "item_other": "other"}).assign(part=part)
    return met.loc[met["part"] > 0, ["one", "other", "part"]].reset_index(drop=True)
