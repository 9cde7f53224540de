"""What schedules would give if versions of deal lines were read in other ways: the yardsticks of causes.

Belongs here: the other readings (an earlier version, another treatment, policy or duration, no allocation) and what each gives
for a month. Does not belong here: whether what was booked is one of them (``causes``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.streams.bookings import terms
from revenue_integrity.streams.bookings.causes import Reading
from revenue_integrity.streams.bookings.schedule import CATCH_UP, FIRST, PROSPECTIVE, RETROSPECTIVE, TREATMENTS

OTHER_POLICIES = ("equal_months", "prorated_months", "daily", "point_in_time")
"""Policies that accounting may take one for another; milestones are no matter of a calendar."""

LONGEST_DURATION = 120
"""Months up to which a wrong duration is looked for."""

_CENTS_PER_SQUARED_MONTH = 20
"""Cents per squared month that must be spread, for some duration fits any smaller amount."""


@dataclass(frozen=True)
class _Variant:
    """Another reading of some lines: their versions, one chain per line, and how a sentence tells each.

    It is none where the version in force spreads less than ``least_cents``.
    """

    cause: str
    rows: pd.DataFrame
    words: Mapping[int, str]
    evidence: Mapping[int, Mapping[str, Any]]
    least_cents: int = 0


def readings(
    stands: pd.DataFrame,
    milestones: pd.DataFrame,
    number: int,
    *,
    last_entry: Mapping[int, int],
    entries: Mapping[int, Sequence[int]],
) -> dict[int, list[Reading]]:
    """Return the other readings of each line in a month, in the order of precedence.

    ``stands`` are the standing versions of the lines (chained, allocated), ``number`` the month; ``last_entry`` names the last
    earlier month with an entry of each line that has one, ``entries`` the amounts booked in the month.
    """
    found: dict[int, list[Reading]] = {int(line): [] for line in stands["line"].unique()}
    stands = stands.assign(is_in_force=stands.index.isin(terms.in_force(stands, number).index))
    variants = [*_earlier_versions(stands), *_treatments(stands), *_unallocated(stands), *_policies(stands)]
    variants += _durations(stands, number, entries)
    if not variants:
        return found
    width = int(stands["line"].max()) + 1
    numbered = pd.concat([each.rows.assign(line=each.rows["line"] + at * width) for at, each in enumerate(variants)])
    numbered = numbered.reset_index(drop=True)
    made = terms.scheduled(numbered, milestones, number)
    spread = pd.Series(made.spreads.amount, index=numbered["line"])[numbered["is_in_force"].to_numpy()]
    of = made.lines[made.cells.line]
    last = pd.Series(of % width).map(last_entry).to_numpy(dtype=float)
    at = made.cells.month
    totals = (
        pd.DataFrame(
            {
                "of": of,
                "now": np.where(at == number, made.cells.cents, 0),
                "last": np.where(at == last, made.cells.cents, 0),
                "to_date": np.where(at <= number, made.cells.cents, 0),
            }
        )
        .groupby("of")
        .sum()
    )
    for place, now, before, to_date in totals.itertuples():
        variant, line = variants[place // width], place % width
        if variant.least_cents > abs(int(spread.get(place, 0))):
            continue
        known = last_entry.get(line)
        found[line].append(
            Reading(
                variant.cause,
                int(now),
                None if known is None else int(before),
                int(to_date),
                variant.words[line],
                variant.evidence.get(line, {}),
            )
        )
    return found


def _rank(stands: pd.DataFrame) -> "pd.Series[int]":
    return stands.groupby("line").cumcount()


def _earlier_versions(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines as their earlier versions have them, the latest of these first."""
    rank, size = _rank(stands), stands.groupby("line")["line"].transform("size")
    for dropped in range(1, int(size.max()) if len(size) else 0):
        kept = stands[(size > dropped) & (rank < size - dropped)]
        final = kept.drop_duplicates("line", keep="last")
        yield _Variant(
            "stale_version",
            kept,
            {line: f"under version {version}" for line, version in zip(final["line"], final["version"], strict=True)},
            {line: {"version": int(version)} for line, version in zip(final["line"], final["version"], strict=True)},
        )


def _treatments(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines with all later active versions treated alike."""
    changes = (stands["said"] != FIRST) & (stands["status"] == "active")
    changed = stands[stands["line"].isin(stands.loc[changes, "line"])]
    for code in (PROSPECTIVE, CATCH_UP, RETROSPECTIVE):
        said = np.where(changes.reindex(changed.index), code, changed["said"])
        rows = changed.assign(treatment=terms.applied(said, changed["policy"]))
        differs = rows.loc[rows["treatment"] != changed["treatment"], "line"].unique()
        words = f"if its changes were treated as {TREATMENTS[code]}"
        if len(differs):
            yield _alike("wrong_modification", rows[rows["line"].isin(differs)], words, {"modification": TREATMENTS[code]})


def _alike(cause: str, rows: pd.DataFrame, words: str, evidence: Mapping[str, Any]) -> _Variant:
    lines = rows["line"].unique()
    return _Variant(cause, rows, dict.fromkeys(lines, words), dict.fromkeys(lines, evidence))


def _unallocated(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines whose price is allocated at the prices that their deals state."""
    shifted = stands[stands["shift_cents"] != 0]
    if len(shifted):
        yield _alike("price_not_allocated", shifted.assign(shift_cents=0), "at its stated price", {})


def _policies(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines under other policies."""
    for policy in OTHER_POLICIES:
        other = stands[stands["line"].isin(stands.loc[stands["policy"] != policy, "line"])]
        if len(other):
            rows = other.assign(policy=policy)
            rows = rows.assign(treatment=terms.applied(rows["said"].to_numpy(), rows["policy"]))
            yield _alike("wrong_policy", rows, f"under the policy {policy}", {"policy": policy})


def _durations(stands: pd.DataFrame, number: int, entries: Mapping[int, Sequence[int]]) -> Iterator[_Variant]:
    """Yield lines in equal months with other durations of the version in force, the nearest first."""
    now = stands[stands["is_in_force"]]
    now = now[(now["policy"] == "equal_months") & now["line"].isin([line for line, found in entries.items() if found])]
    sizes = stands.groupby("line").size()
    tried: dict[tuple[int, int], list[int]] = {}
    for line, months, amount in zip(now["line"], now["months"], now["amount_cents"] + now["shift_cents"], strict=True):
        for duration in range(1, LONGEST_DURATION + 1):
            if duration == months or duration in (months * 10, months * 100) or months in (duration * 10, duration * 100):
                continue
            # A line of one version spreads its amount alone: only durations near its quotient can give one of the entries.
            if sizes[line] == 1 and not any(_may_give(amount, duration, cents) for cents in entries[line]):
                continue
            tried.setdefault((abs(duration - months), duration), []).append(int(line))
    for (_, duration), lines in sorted(tried.items()):
        rows = stands[stands["line"].isin(lines)]
        rows = rows.assign(months=np.where(rows["is_in_force"], duration, rows["months"]))
        words = "over a month" if duration == 1 else f"over {duration} months"
        least = _CENTS_PER_SQUARED_MONTH * duration**2
        yield replace(_alike("wrong_duration", rows, words, {"months": duration}), least_cents=least)


def _may_give(amount: int, duration: int, cents: int) -> bool:
    """Whether an amount in equal months may give an entry in one of them, or in the month that makes up for several."""
    return any(abs(amount * months - cents * duration) <= duration for months in range(1, duration + 1))
