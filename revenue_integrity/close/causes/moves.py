"""Amounts that stand in one place and are missing in another: both ends choose each other.

Belongs here: finding the two ends, in the same month, in adjacent months, or of items and rows that lack them. Does not belong
here: between which places an amount may have moved (each stream's causes), what is said of it.

An *end* is named by a number, unique among all that may be ends of one kind of move, and carries ``cents``; two ends fit if
their amounts are opposite within a tolerance. Each end prefers others in an order that does not depend on how rows stand.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_EDGE = ("one", "other", "rank")


def opposites(ends: pd.DataFrame, others: pd.DataFrame, by: Sequence[str], tolerance: int = 1) -> pd.DataFrame:
    """Return which ends fit which: ``one`` and ``other`` are their index values.

    Both frames have ``cents`` and the columns ``by`` in which two ends are equal; an end where one of these is missing fits none.
    No end fits itself, as amounts that are opposite are two.
    """
    if ends.empty or others.empty:
        return pd.DataFrame({"one": [], "other": []}, dtype="int64")
    known, offered = (
        each.loc[each["cents"] != 0, [*by, "cents"]].dropna(subset=list(by)).rename_axis(name).reset_index()
        for each, name in ((ends, "one"), (others, "other"))
    )
    wanted = [
        known.assign(own=known["cents"], cents=difference - known["cents"]) for difference in range(-tolerance, tolerance + 1)
    ]
    found = pd.concat(wanted, ignore_index=True).merge(offered, on=[*by, "cents"], how="inner")
    fits = np.sign(found["own"]) == -np.sign(found["cents"])
    return found.loc[fits, ["one", "other"]].reset_index(drop=True)


def in_order(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the place of each value in their order, counted from 0; equal ones in the order in which they stand."""
    return pd.Series(range(len(values)), index=values.sort_values(kind="stable").index)


def preferred(pairs: pd.DataFrame, rank: "pd.Series[Any]") -> pd.DataFrame:
    """Return pairs with the rank at which each ``one`` prefers its ``other``, the smallest first, by the index of ``rank``."""
    return pairs.assign(rank=pairs["other"].map(rank))[list(_EDGE)]


def settled(edges: pd.DataFrame, *, rounds: bool = True) -> pd.DataFrame:
    """Return the pairs that choose each other, each from both ends: ``one``, ``other``, ``alternatives``, ``turn``.

    ``edges`` holds every possible pair in both directions: ``one``, ``other``, and ``rank``, at which ``one`` prefers
    ``other`` (the smallest first; no two of one end are equal). With ``rounds``, ends that are left choose again among each
    other until no two do. ``alternatives`` lists the others that ``one`` might have had, in its order, and ``turn`` counts the
    rounds.
    """
    waiting = edges.sort_values(["one", "rank"], kind="stable") if len(edges) else edges
    found: list[pd.DataFrame] = []
    while len(waiting):
        choice = choices(waiting)
        mutual = choice.index[(choice.map(choice) == choice.index).to_numpy()]
        if not len(mutual):
            break
        chosen = choice.loc[mutual]
        rest = waiting[waiting["one"].isin(mutual) & (waiting["one"].map(chosen) != waiting["other"])]
        alternatives = rest.groupby("one", sort=False)["other"].agg(list)
        found.append(
            pd.DataFrame(
                {
                    "one": mutual,
                    "other": chosen.to_numpy(),
                    "alternatives": [alternatives.get(end, []) for end in mutual],
                    "turn": len(found),
                }
            )
        )
        if not rounds:
            break
        waiting = waiting[~waiting["one"].isin(mutual) & ~waiting["other"].isin(mutual)]
    if not found:
        return pd.DataFrame({"one": [], "other": [], "alternatives": [], "turn": []}).astype({"one": "int64", "other": "int64"})
    return pd.concat(found, ignore_index=True)


def exchanged(ends: pd.DataFrame, by: Sequence[str], rank: "pd.Series[Any]", tolerance: int = 1) -> pd.DataFrame:
    """Return the moves among ends of one kind (``settled``), in rounds: of equal ``by``, each prefers the smallest ``rank``."""
    several = ends[ends.duplicated(list(by), keep=False)]
    return settled(preferred(opposites(several, several, by, tolerance), rank))


def assigned(
    offers: pd.DataFrame,
    lacks: pd.DataFrame,
    by: Sequence[str],
    offer_rank: "pd.Series[Any]",
    lack_rank: "pd.Series[Any]",
    tolerance: int = 1,
) -> pd.DataFrame:
    """Return which row lacks what is offered (``one``: the offer, ``other``: the row, ``alternatives``: other such rows).

    Offers in the order of their rank each take the row of the smallest rank that is left.
    """
    pairs = opposites(offers, lacks, by, tolerance)
    # Offers are numbered below zero, so that no end is taken for another.
    to_rows = preferred(pairs, lack_rank).assign(one=lambda found: -1 - found["one"])
    to_offers = preferred(pairs.rename(columns={"one": "other", "other": "one"}), offer_rank).assign(
        other=lambda found: -1 - found["other"]
    )
    found = settled(pd.concat([to_rows, to_offers], ignore_index=True))
    return found[found["one"] < 0].assign(one=lambda chosen: -1 - chosen["one"]).reset_index(drop=True)


def adjacency(amounts: pd.DataFrame, tolerance: int = 1) -> pd.DataFrame:
    """Return which ends may have moved between adjacent steps of one ``key``, as edges for ``settled``; the earlier step first.

    ``amounts`` has ``key``, ``step`` (a number: the next one is the next month) and ``cents``, at most one per key and step.
    """
    several = amounts[amounts["key"].duplicated(keep=False)]
    moved = pd.concat([several.assign(step=several["step"] - distance) for distance in (-1, 1)])
    return preferred(opposites(several, moved, ["key", "step"], tolerance), amounts["step"])


def choices(edges: pd.DataFrame) -> "pd.Series[Any]":
    """Return what each end prefers, whether or not that prefers it too."""
    return edges.sort_values(["one", "rank"], kind="stable").drop_duplicates("one").set_index("one")["other"]


def adjacent(amounts: pd.DataFrame, tolerance: int = 1) -> pd.DataFrame:
    """Return the moves between adjacent steps (``adjacency``, ``settled``), in one round.

    Where an end's choice prefers another, neither moves: what is left is no second choice.
    """
    return settled(adjacency(amounts, tolerance), rounds=False)


def shared(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return what both ends share, with the sign of the first: the rest of either is rounding."""
    smaller = np.minimum(one.abs().to_numpy(), other.abs().to_numpy())
    return pd.Series(np.sign(one.to_numpy()) * smaller, index=one.index)
