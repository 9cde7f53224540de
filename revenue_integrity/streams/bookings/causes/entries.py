"""Causes that entries tell by themselves: reversed, booked twice, made up for earlier months.

Belongs here: these causes, entry by entry. Does not belong here: amounts that stand in another place (``places``), rules over a
row as a whole (``single``).
"""

from typing import Any

import pandas as pd

from revenue_integrity.close.causes.copies import is_nearer
from revenue_integrity.close.causes.explaining import Case, Claims, claims, nothing
from revenue_integrity.close.causes.items import at, in_turn
from revenue_integrity.close.causes.wording import amounts, records
from revenue_integrity.streams.bookings.causes.single import SINGLE_RULES
from revenue_integrity.streams.bookings.causes.standing import behind, entry_words, standing, without

PRIOR_MONTHS_REACH = 12
"""Months back among which an entry may make up for one."""


def _worth_claiming(case: Case, candidates: pd.DataFrame) -> pd.DataFrame:
    """Return the entries without which the rest comes nearer to nothing, or then has a cause of its own.

    Of several in one row, the next is looked at as the row stands without those chosen.
    """
    state = standing(case)
    chosen: list[Any] = []
    for turn in in_turn(candidates, "row"):
        waiting = turn[turn["row"].isin(state.index[state["rest"] != 0])]
        if waiting.empty:
            continue
        rest = at(state["rest"], waiting["row"])
        left = without(state, waiting)
        explained = {row for rule in SINGLE_RULES if rule.explains_the_rest for row in rule.fits(left, case).index}
        found = waiting[is_nearer(rest, waiting["cents"]) | waiting["row"].isin(explained)]
        state = pd.concat([state[~state.index.isin(found["row"])], left.loc[found["row"]]])
        chosen += found.index.tolist()
    return candidates.loc[candidates.index.isin(chosen)]


def _reversals(case: Case, *, own_line: bool) -> pd.DataFrame:
    entries = case.standing
    rows = case.open_rows
    of_rows = entries["row"].isin(rows.index[rows["deal_id"].notna()])
    candidates = entries[of_rows & entries["is_reversal"] & (entries["reverses_own_line"] == own_line)].sort_values("order")
    return _worth_claiming(case, candidates) if len(candidates) else candidates


def _claimed(found: pd.DataFrame, sentence: "pd.Series[Any]", **evidence: Any) -> Claims:
    proof = records(found.index, entries=found["document"].map(lambda each: [each]), **evidence)
    return claims(found["row"], found["cents"], sentence, proof, taken=found.index)


def reversal(case: Case) -> Claims:
    """Claim reversals that name an entry of their line, of any period."""
    found = _reversals(case, own_line=True)
    if found.empty:
        return nothing()
    # It may name an entry of another amount, and of another period.
    sentence = "Reversal " + found["document"] + " takes " + amounts(-found["cents"]) + " back and names entry "
    sentence += found["reverses"] + " of this line."
    return _claimed(found, sentence, reverses=found["reverses"])


def reversal_unreferenced(case: Case) -> Claims:
    """Claim reversals that name no entry, an unknown one or that of another line."""
    found = _reversals(case, own_line=False)
    if found.empty:
        return nothing()
    named = ("names entry " + found["reverses"] + ", which is not of this line").where(
        found["reverses"].notna(), "names no entry"
    )
    sentence = "Reversal " + found["document"] + " takes " + amounts(-found["cents"]) + " back and " + named + "."
    return _claimed(found, sentence, reverses=found["reverses"])


def duplicate_entry(case: Case) -> Claims:
    """Claim second entries of the same amount in a row, the latest first."""
    entries = case.standing
    entries = entries[~entries["is_reversal"] & entries["row"].isin(case.open_rows.index)]
    entries = entries[entries.duplicated(["row", "cents"], keep=False)]
    latest_first = entries.sort_values(
        ["row", "cents", "posted_at", "order"], ascending=[True, True, False, False], kind="stable"
    )
    original = latest_first.groupby(["row", "cents"], sort=False)["document"].shift(-1)
    candidates = latest_first.assign(original=original)[original.notna()]
    found = _worth_claiming(case, candidates) if len(candidates) else candidates
    if found.empty:
        return nothing()
    sentence = (
        "Entry " + found["document"] + " books " + amounts(found["cents"]) + " once more, beside entry "
        + found["original"] + "."
    )  # fmt: skip
    return _claimed(found, sentence, duplicates=found["original"])


def prior_months(case: Case) -> Claims:
    """Claim entries, not the row's only one left, that make up for what earlier months left open."""
    state, entries = standing(case), case.standing
    entries = entries[entries["row"].isin(state.index) & ~entries["is_reversal"]]
    found = []
    while len(state):
        chosen = _making_up(case, state, entries)
        if chosen.empty:
            break
        found.append(chosen)
        after = without(state, chosen)
        # What makes up settles what was open, as a reversal does.
        state = after.assign(open=state["open"].loc[after.index] + chosen.set_index("row")["cents"])
        entries = entries.drop(index=chosen.index)
    if not found:
        return nothing()
    made = pd.concat(found)
    one = pd.Series("one of the ", index=made.index).where(made["rank"] != 0, "")
    sentence = entry_words(made) + " makes up for " + one + "earlier months; before it they were " + behind(made["open"]) + "."
    return _claimed(made, sentence, open_cents=made["open"])


def _making_up(case: Case, state: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """Return of each row the entry that makes up for what earlier months left open: for all of it, else for one of them."""
    state = state[(state["rest"] != 0) & (state["open"] != 0) & (state["entries"] > 0)]
    state = state[(state["entries"] > 1) | _may_be_alone(case, state)]
    found = entries[entries["row"].isin(state.index)]
    of_row = state.loc[found["row"]].set_axis(found.index)
    found = found.assign(open=of_row["open"], n=of_row["n"])
    is_against = (found["cents"] < 0) == (found["open"] > 0)
    is_within = (found["cents"] != 0) & ((found["cents"] < 0) == (of_row["rest"] < 0))
    found = found[is_against & is_within & (of_row["rest"].abs() >= found["cents"].abs() - found["n"])]
    of_all = found.assign(away=(found["cents"] + found["open"]).abs(), rank=0)
    of_all = of_all[of_all["away"] <= of_all["n"]]
    chosen = pd.concat([of_all, _of_one_month(case, found)]).sort_values(["row", "rank", "away", "order"], kind="stable")
    return chosen.drop_duplicates("row")


def _of_one_month(case: Case, entries: pd.DataFrame) -> pd.DataFrame:
    """Return the entries that are the opposite of the variance of one of the months before while as much is open."""
    entries = entries[entries["open"].abs() >= entries["cents"].abs() - entries["n"]]
    earlier = case.more["earlier"].rename(columns={"cents": "variance"})
    pairs = entries.reset_index(names="item").merge(earlier[earlier["distance"] <= PRIOR_MONTHS_REACH], on="row", how="inner")
    pairs = pairs[(pairs["variance"] > 0) == (pairs["open"] > 0)]
    pairs = pairs.assign(away=(pairs["cents"] + pairs["variance"]).abs(), rank=1)
    return pairs[pairs["away"] <= pairs["n"]].set_index("item").drop(columns=["variance", "distance"])


def _may_be_alone(case: Case, state: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether the only entry of a row may make up: nothing is due, and no other reading explains it."""
    possible = state[(state["due"] == 0) & (state["entries"] == 1)]
    read = {row for rule in SINGLE_RULES if rule.is_reading for row in rule.fits(possible, case).index}
    alone = possible.index[possible["cancelled"] | ~possible.index.isin(read)]
    return pd.Series(state.index.isin(alone), index=state.index)
