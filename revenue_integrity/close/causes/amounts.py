"""What two amounts look like beside each other: rounded, with the sign turned, with digits exchanged or the point moved.

Belongs here: these likenesses, on columns of cents. Does not belong here: which amounts are compared, and where chance is likely
enough to forbid the conclusion (small amounts: each stream).
"""

from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.exact import rounded

FACTORS = (10, 100, 1000)
"""How far a point moves when it is mistyped."""

_DIGITS = 18
"""Digits of an amount of 64 bits that two of its neighbours can be exchanged in."""

Cents = "pd.Series[Any]"


def is_rounding(rest: "pd.Series[Any]", items: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whether a rest is at most one cent per item (at least one)."""
    return rest.abs() <= items.clip(lower=1)


def is_sign_turned(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whether an amount is the opposite of the other."""
    return (one == -other) & (other != 0)


def shift(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return by which of ``FACTORS`` the point of an amount moved against the other: positive ×, negative ÷, 0 not at all.

    What is divided is rounded to a cent, half away from zero; the smallest factor counts, × before ÷.
    """
    found = pd.Series(0, index=one.index)
    for factor in reversed(FACTORS):
        smaller = pd.Series(rounded(other.to_numpy(dtype=object), factor).astype("int64"), index=one.index)
        for signed, value in ((-factor, smaller), (factor, other * factor)):
            found = found.mask((one == value) & (other != 0) & (one != 0), signed)
    return found


def is_transposed(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return whether an amount is the other with two neighbouring digits exchanged: one sign, equally many digits."""
    left, right = (np.abs(each.to_numpy(dtype="int64")) for each in (one, other))
    found = np.zeros(len(left), dtype=bool)
    for place in range(_DIGITS - 1):
        unit = 10**place
        low, high = right // unit % 10, right // (unit * 10) % 10
        # The first digit stays one: an exchange with a leading zero would change how many there are.
        found |= (
            (low != high)
            & (left == right + (low - high) * 9 * unit)
            & ((high > 0) | (right >= unit * 100))
            & ((low > 0) | (right >= unit * 100))
        )
    return pd.Series(found & (np.sign(one.to_numpy()) == np.sign(other.to_numpy())), index=one.index)
