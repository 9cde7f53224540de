"""Causes over a row by itself: another reading of its deal, a mistyped amount, revenue outside of its term.

Belongs here: these rules, in order of precedence. Does not belong here: what other readings give (``readings``), entries one by
one (``entries``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from revenue_integrity.close.causes import amounts as likeness
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.wording import amounts, listed, merged, records
from revenue_integrity.streams.bookings.causes.standing import behind, entry_ids, is_equal, standing

_SMALLEST_SHIFTED = 100
"""Cents below which a shifted decimal point is no more than chance."""


def _fit(
    state: pd.DataFrame, where: "pd.Series[bool]", cents: "pd.Series[Any]", sentence: "pd.Series[Any]", **evidence: Any
) -> pd.DataFrame:
    """Return the rows where a rule holds: the cents that it explains, why, and what proves it."""
    made = pd.DataFrame(
        {"cents": cents, "explanation": sentence, "evidence": records(state.index, **evidence)}, index=state.index
    )
    return made[where]


@dataclass(frozen=True)
class SingleRule:
    """A rule that looks at one row by itself.

    Attributes:
        label: the cause.
        fits: returns of rows as they stand (``standing``) those where it holds: ``cents``, ``explanation``, ``evidence``.
        is_reading: whether it is another reading of the versions (*from stale_version to wrong_duration*).
        explains_the_rest: whether a reversal or a duplicate is claimed for its sake (*from after_cancellation to after_end*).
    """

    label: str
    fits: Callable[[pd.DataFrame, Case], pd.DataFrame]
    is_reading: bool = False
    explains_the_rest: bool = True

    def find(self, case: Case) -> Claims:
        """Claim the rows where the rule holds, with the rules further down that would have held, too."""
        state = standing(case)
        found = self.fits(state, case)
        if found.empty:
            return nothing()
        state = state.loc[found.index]
        below = [rule for rule in SINGLE_RULES[SINGLE_RULES.index(self) + 1 :] if rule.label != self.label]
        others = pd.concat([found.assign(label="")[:0], *(rule.fits(state, case).assign(label=rule.label) for rule in below)])
        others = others.rename_axis("row").reset_index()[["row", "label"]].drop_duplicates()
        possible = listed(others, "row", found.index, "label")
        evidence = records(
            found.index,
            entries=entry_ids(case.standing, found.index),
            also_possible=possible.where(possible.map(len) > 0),
        )
        return claims(found.index, found["cents"], found["explanation"], merged(evidence, found["evidence"]))


def _after_cancellation(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    holds = (state["entries"] > 0) & state["cancelled"] & (state["due"] == 0) & (state["due_after"] == 0)
    sentence = amounts(state["booked"]) + " is recognized after " + state["name"] + " was cancelled."
    return _fit(state, holds, state["rest"], sentence)


def _reading(cause: str) -> Callable[[pd.DataFrame, Case], pd.DataFrame]:
    """Return the rule that booked is what a row's line gives under another reading, the first that holds."""

    def fits(state: pd.DataFrame, case: Case) -> pd.DataFrame:
        known = case.more["readings"]
        known = known[(known["cause"] == cause) & known["row"].isin(state.index)].reset_index(drop=True)
        of_row = state.loc[known["row"]].reset_index(drop=True)
        held = _holds(cause, of_row, known)
        known = known[held].sort_values(["row", "rank"], kind="stable").drop_duplicates("row").set_index("row")
        rows = state.loc[known.index]
        sentence = (
            amounts(known["cents"]) + " is what " + rows["name"] + " gives " + known["words"] + "; " + amounts(rows["due"])
            + " is due."
        )  # fmt: skip
        return pd.DataFrame({"cents": known["cents"] - rows["due"], "explanation": sentence, "evidence": known["evidence"]})

    return fits


def _holds(cause: str, rows: pd.DataFrame, known: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether what is booked is what another reading gives; where nothing is booked, earlier months must bear it out."""
    differs = ~is_equal(rows, known["cents"], rows["due"])
    is_booked = is_equal(rows, rows["booked"], known["cents"])
    if cause == "wrong_duration":
        # Some number of months comes near any amount: it must be the very cents, of one entry.
        return differs & (rows["entries"] == 1) & (rows["entry_cents"] == known["cents"]) & is_booked
    due_before = rows["due_until"] - rows["due"]
    is_last = is_equal(rows, known["last_cents"].fillna(0), rows["booked_last"].fillna(0))
    is_borne_out = (
        (known["cents"] == 0)
        & rows["booked_last"].notna()
        & known["last_cents"].notna()
        & is_last
        & is_equal(rows, known["to_date_cents"], rows["booked_before"])
        & (rows["booked_before"] != 0)
    )
    if cause != "stale_version":
        is_borne_out &= ~is_equal(rows, rows["booked_before"], due_before)
    return differs & is_booked.where(rows["entries"] > 0, is_borne_out).astype(bool)


def _catch_up_missing(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    missed = state["catch_up"]
    holds = (state["entries"] > 0) & (missed != 0) & is_equal(state, state["booked"], state["due"] - missed)
    sentence = (
        amounts(missed) + " of what is due of " + state["name"] + " makes up for earlier months; it is not recognized."
    )  # fmt: skip
    return _fit(state, holds, -missed, sentence, catch_up_cents=missed)


def _as_billed(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    billed = state["billed"]
    lasts = (state["due"] != 0) | (state["due_after"] != 0)
    holds = (state["entries"] > 0) & (billed != 0) & lasts & is_equal(state, state["booked"], billed)
    sentence = amounts(billed) + " is what was billed in the month; " + amounts(state["due"]) + " is due."
    return _fit(state, holds, billed - state["due"], sentence, billed_cents=billed)


def _wrong_sign(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    holds = (state["entries"] > 0) & (state["due"] != 0) & is_equal(state, state["booked"], -state["due"])
    return _fit(state, holds, -2 * state["due"], amounts(state["due"]) + " is due, and is booked with the other sign.")


def _decimal_shift(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    factor = likeness.shift(state["booked"], state["due"])
    holds = (state["entries"] > 0) & (factor != 0) & (state["booked"].abs() >= _SMALLEST_SHIFTED)
    sentence = amounts(state["booked"]) + " is " + amounts(state["due"]) + " with its decimal point in another place."
    return _fit(state, holds, state["rest"], sentence, factor=factor.abs())


def _transposed_digits(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    holds = (state["entries"] > 0) & likeness.is_transposed(state["booked"], state["due"])
    sentence = amounts(state["booked"]) + " is " + amounts(state["due"]) + " with two neighbouring digits exchanged."
    return _fit(state, holds, state["rest"], sentence)


def _prior_months(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    still_open, due = state["open"], state["due"]
    makes_up = (still_open != 0) & (state["entries"] > 0) & is_equal(state, state["rest"], -still_open)
    same_way = (still_open != 0) & ((still_open > 0) == (due > 0))
    ahead = (state["entries"] == 0) & (due != 0) & same_way & (still_open.abs() >= due.abs())
    made_up = amounts(state["rest"]) + " makes up for earlier months, which were " + behind(still_open) + "."
    before = amounts(due) + " had been recognized before it was due: earlier months were " + behind(still_open) + "."
    return _fit(state, makes_up | ahead, state["rest"], made_up.where(makes_up, before), open_cents=still_open)


def _before_start(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    # What is agreed later only, or never, is no more begun in the month than what starts later: nothing of it has ended.
    holds = (state["entries"] > 0) & (state["due_until"] == 0) & (state["due"] == 0)
    booked = amounts(state["booked"]) + " is recognized"
    early = booked + " before anything of " + state["name"] + " is due."
    nothing = booked + ", and as agreed up to this month nothing of " + state["name"] + " is due."
    other_type = booked + " as " + state["revenue_type"] + ", which " + state["name"] + " is not in this month."
    sentence = early.where((state["due_after"] != 0) & (state["due_months"] == 0), nothing)
    return _fit(state, holds, state["rest"], sentence.mask(state["is_of_another_type"], other_type))


def _after_end(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    holds = (state["entries"] > 0) & (state["due"] == 0) & (state["due_after"] == 0)
    sentence = amounts(state["booked"]) + " is recognized after the last month in which " + state["name"] + " owes anything."
    return _fit(state, holds, state["rest"], sentence)


def _unrecognized(state: pd.DataFrame, case: Case) -> pd.DataFrame:
    holds = (state["entries"] == 0) & (state["due"] != 0)
    return _fit(state, holds, state["rest"], amounts(state["due"]) + " of " + state["name"] + " is due and not recognized.")


SINGLE_RULES: tuple[SingleRule, ...] = (
    SingleRule("after_cancellation", _after_cancellation),
    SingleRule("stale_version", _reading("stale_version"), is_reading=True),
    SingleRule("catch_up_missing", _catch_up_missing, is_reading=True),
    SingleRule("wrong_modification", _reading("wrong_modification"), is_reading=True),
    SingleRule("price_not_allocated", _reading("price_not_allocated"), is_reading=True),
    SingleRule("wrong_policy", _reading("wrong_policy"), is_reading=True),
    SingleRule("recognized_as_billed", _as_billed, is_reading=True),
    SingleRule("wrong_sign", _wrong_sign, is_reading=True),
    SingleRule("decimal_shift", _decimal_shift, is_reading=True),
    SingleRule("wrong_duration", _reading("wrong_duration"), is_reading=True),
    SingleRule("transposed_digits", _transposed_digits),
    SingleRule("prior_months", _prior_months),
    SingleRule("before_start", _before_start),
    SingleRule("after_end", _after_end),
    SingleRule("unrecognized", _unrecognized, explains_the_rest=False),
)
"""Rules over a row by itself, in order of precedence."""
