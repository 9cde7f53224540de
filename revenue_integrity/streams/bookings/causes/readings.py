"""What schedules would give if versions of deal lines were read in other ways: the yardsticks of causes.

Belongs here: the other readings (an earlier version, another treatment, policy or duration, no allocation) and what each gives
for a month. Does not belong here: whether what was booked is one of them (``single``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revenue_integrity.close.causes.wording import records
from revenue_integrity.streams.bookings import schedule, terms
from revenue_integrity.streams.bookings.mart import chained, standing
from revenue_integrity.streams.bookings.schedule import CATCH_UP, FIRST, PROSPECTIVE, RETROSPECTIVE, TREATMENTS
from revenue_integrity.streams.bookings.settings import BookingsSettings

OTHER_POLICIES = ("equal_months", "prorated_months", "daily", "point_in_time")
"""Policies that accounting may take one for another; milestones are no matter of a calendar."""

LONGEST_DURATION = 120
"""Months up to which a wrong duration is looked for."""

_CENTS_PER_SQUARED_MONTH = 20
"""Cents per squared month that must be spread, for some duration fits any smaller amount."""

_READINGS: dict[str, Any] = {
    "row": "int64",
    "cause": object,
    "rank": "int64",
    "cents": "int64",
    "last_cents": "Int64",
    "to_date_cents": "int64",
    "words": object,
    "evidence": object,
}


def yardsticks(
    settings: BookingsSettings,
    rows: pd.DataFrame,
    entries: pd.DataFrame,
    history: pd.DataFrame,
    versions: pd.DataFrame,
    milestones: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was due of rows in earlier months, and what the other readings of their lines give, in cents.

    The first has ``row``, ``distance`` (months before) and ``cents``. The second has ``row``, ``cause``, ``rank`` (the smallest
    first), ``cents`` in the month, ``last_cents`` in the last earlier month with an entry (null without one), ``to_date_cents``,
    ``words`` (how the line is read, as a part of a sentence) and ``evidence``. ``rows`` and ``entries`` are as ``inputs`` makes
    them, ``history`` is what was recognized before.
    """
    chains = chained(versions, settings)
    dues = [pd.DataFrame({"row": [], "distance": [], "cents": []}, dtype="int64")]
    readings = [pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in _READINGS.items()})]
    own = rows[rows["is_own"]]
    for step, of_month in own.groupby("step"):
        number = int(str(step)) - 1
        stands = standing(chains, number, settings)
        numbers = of_month.rename_axis("row").reset_index()[["row", *terms.LINE]].astype({"line_no": "int64"})
        stands = stands.merge(numbers, on=terms.LINE, how="inner")
        if stands.empty:
            continue
        ends = int(schedule.last_day(np.array([number]))[0])
        known = milestones[milestones["completed_day"] <= ends]
        row_of = stands.drop_duplicates("line").set_index("line")["row"]
        dues.append(_dues(stands, known, number, row_of))
        last = history[(history["cents"] != 0) & history["row"].isin(of_month.index)].groupby("row")["distance"].min()
        booked = entries[entries["row"].isin(of_month.index)][["row", "cents"]]
        made = _readings(
            stands, known, number, number - row_of.map(last), booked.merge(row_of.rename("row").reset_index(), on="row")
        )
        readings.append(made.assign(row=made["line"].map(row_of)).drop(columns="line"))
    return pd.concat(dues, ignore_index=True), pd.concat(readings, ignore_index=True).astype(_READINGS)[list(_READINGS)]


def _dues(stands: pd.DataFrame, milestones: pd.DataFrame, number: int, row_of: "pd.Series[Any]") -> pd.DataFrame:
    """Return what was due of each line in earlier months, as the month sees it."""
    made = terms.scheduled(stands, milestones, number)
    cells = pd.DataFrame(
        {
            "row": row_of.reindex(made.lines[made.cells.line]).to_numpy(),
            "distance": number - made.cells.month,
            "cents": made.cells.cents,
        }
    )
    return cells[(cells["distance"] > 0) & (cells["cents"] != 0)]


@dataclass(frozen=True)
class _Variant:
    """Other readings of some lines: their versions, one chain per line and reading, and how a sentence tells each.

    Attributes:
        cause: the cause that they would be.
        rows: the versions; ``nth`` counts the readings of a line from 0.
        told: per ``line`` and ``nth``: ``words``, ``evidence``, ``least``, the cents that the version in force must spread.
    """

    cause: str
    rows: pd.DataFrame
    told: pd.DataFrame


def _readings(
    stands: pd.DataFrame, milestones: pd.DataFrame, number: int, last_entry: "pd.Series[Any]", entries: pd.DataFrame
) -> pd.DataFrame:
    """Return the other readings of each line in a month, ranked in the order of precedence.

    ``stands`` are the standing versions of the lines (chained, allocated), ``number`` the month; ``last_entry`` is the last
    earlier month with an entry of each line that has one, ``entries`` are the amounts booked in the month (``line``, ``cents``).
    """
    stands = stands.assign(is_in_force=stands.index.isin(terms.in_force(stands, number).index))
    variants = [*_earlier_versions(stands), *_treatments(stands), *_unallocated(stands), *_policies(stands)]
    # The last, for they alone are several of one line.
    variants += _durations(stands, entries)
    if not variants:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in (_READINGS | {"line": "int64"}).items()})
    width = int(stands["line"].max()) + 1
    ranked = [each.rows.assign(line=each.rows["line"] + (each.rows["nth"] + at) * width) for at, each in enumerate(variants)]
    numbered = pd.concat(ranked, ignore_index=True)
    made = terms.scheduled(numbered, milestones, number)
    spread = pd.Series(made.spreads.amount, index=numbered["line"])[numbered["is_in_force"].to_numpy()]
    of = made.lines[made.cells.line]
    last = pd.Series(of % width).map(last_entry).to_numpy(dtype=float)
    at, cents = made.cells.month, made.cells.cents
    amounts = {
        "cents": np.where(at == number, cents, 0),
        "last_cents": np.where(at == last, cents, 0),
        "to_date_cents": np.where(at <= number, cents, 0),
    }
    totals = pd.DataFrame({"of": of, **amounts}).groupby("of").sum()
    place = totals.index.to_numpy()
    found = totals.assign(rank=place // width, line=place % width, spread=spread.reindex(place, fill_value=0).abs().to_numpy())
    told = pd.concat([each.told.assign(cause=each.cause, rank=each.told["nth"] + at) for at, each in enumerate(variants)])
    found = found.merge(told, on=["rank", "line"], how="inner")
    has_last = found["line"].map(last_entry).notna()
    found = found.assign(last_cents=found["last_cents"].astype("Int64").where(has_last))
    return found[found["spread"] >= found["least"]].drop(columns=["spread", "least", "nth"])


def _rank(stands: pd.DataFrame) -> "pd.Series[int]":
    return stands.groupby("line").cumcount()


def _earlier_versions(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines as their earlier versions have them, the latest of these first."""
    rank, size = _rank(stands), stands.groupby("line")["line"].transform("size")
    for dropped in range(1, int(size.max()) if len(size) else 0):
        kept = stands[(size > dropped) & (rank < size - dropped)]
        final = kept.drop_duplicates("line", keep="last")
        told = pd.DataFrame(
            {
                "line": final["line"],
                "nth": 0,
                "words": "under version " + final["version"].astype(str),
                "evidence": records(final.index, version=final["version"]),
                "least": 0,
            }
        )
        yield _Variant("stale_version", kept.assign(nth=0), told)


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
            yield _alike("wrong_modification", rows[rows["line"].isin(differs)], words, modification=TREATMENTS[code])


def _alike(cause: str, rows: pd.DataFrame, words: str, **evidence: Any) -> _Variant:
    lines = pd.Series(rows["line"].unique())
    told = pd.DataFrame({"line": lines, "nth": 0, "words": words, "evidence": records(lines.index, **evidence), "least": 0})
    return _Variant(cause, rows.assign(nth=0), told)


def _unallocated(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines whose price is allocated at the prices that their deals state."""
    shifted = stands[stands["shift_cents"] != 0]
    if len(shifted):
        yield _alike("price_not_allocated", shifted.assign(shift_cents=0), "at its stated price")


def _policies(stands: pd.DataFrame) -> Iterator[_Variant]:
    """Yield the lines under other policies."""
    for policy in OTHER_POLICIES:
        other = stands[stands["line"].isin(stands.loc[stands["policy"] != policy, "line"])]
        if len(other):
            rows = other.assign(policy=policy)
            rows = rows.assign(treatment=terms.applied(rows["said"].to_numpy(), rows["policy"]))
            yield _alike("wrong_policy", rows, f"under the policy {policy}", policy=policy)


def _durations(stands: pd.DataFrame, entries: pd.DataFrame) -> Iterator[_Variant]:
    """Yield lines in equal months with other durations of the version in force, the nearest first."""
    now = stands[stands["is_in_force"] & (stands["policy"] == "equal_months")]
    known = pd.DataFrame({"line": now["line"], "months": now["months"], "amount": now["amount_cents"] + now["shift_cents"]})
    known = known.merge(entries[["line", "cents"]].drop_duplicates(), on="line", how="inner")
    tried = known.merge(pd.DataFrame({"duration": range(1, LONGEST_DURATION + 1)}), how="cross")
    months, duration = tried["months"], tried["duration"]
    is_typo = (duration == months * 10) | (duration == months * 100)
    is_typo |= (months == duration * 10) | (months == duration * 100)
    # A line of one version spreads its amount alone: only durations near its quotient can give one of the entries.
    has_several = tried["line"].map(stands.groupby("line").size()) > 1
    tried = tried[(duration != months) & ~is_typo & (has_several | _may_give(tried["amount"], duration, tried["cents"]))]
    tried = tried.assign(away=(tried["duration"] - tried["months"]).abs()).sort_values(["line", "away", "duration"])
    tried = tried.drop_duplicates(["line", "duration"], ignore_index=True)[["line", "duration"]]
    if tried.empty:
        return
    tried = tried.assign(nth=tried.groupby("line").cumcount())
    rows = stands.merge(tried, on="line", how="inner").sort_values(["nth", "line", "version"], kind="stable")
    rows = rows.assign(months=rows["months"].where(~rows["is_in_force"], rows["duration"]))
    is_one = tried["duration"] == 1
    words = pd.Series("over a month", index=tried.index).where(is_one, "over " + tried["duration"].astype(str) + " months")
    least = _CENTS_PER_SQUARED_MONTH * tried["duration"] ** 2
    told = tried.assign(words=words, evidence=records(tried.index, months=tried["duration"]), least=least)
    yield _Variant("wrong_duration", rows, told.drop(columns="duration"))


def _may_give(amount: "pd.Series[Any]", duration: "pd.Series[Any]", cents: "pd.Series[Any]") -> "pd.Series[bool]":
    """Return whether an amount in equal months may give an entry in one of them, or in the month that makes up for several."""
    wanted = cents * duration
    # The number of months whose sum comes nearest is one of two beside the quotient, within the duration.
    quotient = wanted // amount.where(amount != 0, 1)
    fits = pd.Series(False, index=amount.index)
    for beside in (0, 1):
        months = (quotient + beside).clip(lower=1, upper=duration)
        fits |= (amount * months - wanted).abs() <= duration
    return fits
