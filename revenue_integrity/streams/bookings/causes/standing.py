"""How rows stand when a cause looks at them: what is booked, what is still open of earlier months, which entries are left.

Belongs here: these figures and the words for rows and entries. Does not belong here: any cause.
"""

from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.close.causes.explaining import Case
from revenue_integrity.close.causes.items import counts, sums
from revenue_integrity.close.causes.wording import amounts, listed

NEAR = 1
"""Cents within which the two ends of a move are equal: each was rounded by itself."""

_MAKES_GOOD = ("reversal", "reversal_unreferenced", "prior_months")
"""Causes whose entries settle what earlier months left open."""


def standing(case: Case) -> pd.DataFrame:
    """Return the open rows with a line as they stand.

    Further columns: ``booked``, ``entries`` (how many are left), ``entry_cents`` (their sum), ``open`` (what earlier months left
    open and nothing of this month has made good: + ahead, − behind).
    """
    rows = case.open_rows
    rows = rows[rows["deal_id"].notna()]
    left = case.standing
    made_good = _made_good(case).reindex(rows.index, fill_value=0)
    return rows.assign(
        booked=rows["due"] + rows["rest"],
        entries=counts(left, rows.index),
        entry_cents=sums(left, "cents", rows.index),
        open=rows["booked_before"] - (rows["due_until"] - rows["due"]) + made_good,
    )


def without(state: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """Return how rows stand without one entry each; a reversal makes good what was open."""
    of_row = entries.set_index("row")
    rows = state.loc[of_row.index]
    cents = of_row["cents"]
    return rows.assign(
        rest=rows["rest"] - cents,
        booked=rows["booked"] - cents,
        entries=rows["entries"] - 1,
        entry_cents=rows["entry_cents"] - cents,
        open=rows["open"] + cents.where(of_row["is_reversal"], 0),
    )


def _made_good(case: Case) -> "pd.Series[Any]":
    """Return what entries of each row have made good: reversals, what makes up, what a shift settles in its later month."""
    claimed = case.claimed
    shifts = claimed[claimed["cause"] == "period_shift"]
    month = shifts["row"].map(case.rows["month"])
    later = shifts[month == month.groupby(shifts["link_id"]).transform("max")]
    counted = pd.concat([claimed[claimed["cause"].isin(_MAKES_GOOD)], later])
    return counted.groupby("row")["cents"].sum().astype("int64")


def is_equal(state: pd.DataFrame, one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whether two amounts of each row are the same but for rounding."""
    return (one - other).abs() <= state["n"]


def entry_words(entries: pd.DataFrame) -> "pd.Series[Any]":
    """Return entries with their amounts, as the beginning of a sentence."""
    return "Entry " + entries["document"] + " (" + amounts(entries["cents"]) + ")"


def capital(words: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return words as the beginning of a sentence; names within keep their letters."""
    return words.str[:1].str.upper() + words.str[1:]


def behind(still_open: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return how earlier months stood, as the rest of a sentence."""
    return amounts(still_open.abs()) + pd.Series(np.where(still_open > 0, " ahead", " behind"), index=still_open.index)


def entry_ids(entries: pd.DataFrame, index: "pd.Index[Any]") -> "pd.Series[Any]":
    """Return the ids of each row's entries; null where it has none."""
    found = listed(entries.sort_values("order"), "row", index)
    return found.where(found.map(len) > 0)
