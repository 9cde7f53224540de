"""Versions of deal lines as frames: which stand in a month, at which price, which is in force, as arrays for ``schedule``.

Belongs here: what rows of ``deal_lines`` mean (40-bookings, *Transaction price*, *What stands in month M*). Does not belong
here: the arithmetic of schedules (``schedule``), tables (``mart``).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from revenue_integrity.streams.bookings import schedule
from revenue_integrity.streams.bookings.schedule import (
    CATCH_UP,
    FIRST,
    NEVER,
    POLICIES,
    PROSPECTIVE,
    RETROSPECTIVE,
    TREATMENTS,
    Ints,
)

LINE = ["deal_id", "line_no"]
"""What names a deal line."""


def number_of(month: date) -> int:
    """Return the number of a month, as ``schedule`` counts them."""
    return month.year * 12 + month.month - 1


def chain(versions: pd.DataFrame, *, backdated: str) -> pd.DataFrame:
    """Return versions with what follows from their place in the line's history.

    Adds ``is_first``, ``said`` and ``treatment`` (codes: as the version says, and as it is applied), ``booked`` (month that
    counts as that of the agreement), ``effective`` (day), ``line`` (number of the line). ``backdated`` is the setting: with
    ``service``, what was agreed counts from the service on, whenever it was agreed.
    """
    rows = versions.sort_values([*LINE, "version"], ignore_index=True)
    is_first = ~rows.duplicated(LINE)
    named = rows["modification"].map({name: code for code, name in enumerate(TREATMENTS)})
    by_default = np.where(rows["effective_day"].notna(), PROSPECTIVE, RETROSPECTIVE)
    said = np.where(is_first, FIRST, np.where(named.notna(), named.fillna(0), by_default).astype(np.int64))
    booked = schedule.month_number(rows["booked_day"].to_numpy(dtype=np.int64))
    return rows.assign(
        line=rows.groupby(LINE, sort=False).ngroup().astype("int64"),
        is_first=is_first,
        said=said,
        treatment=applied(said, rows["policy"]),
        booked=booked if backdated == "catch_up" else np.full(len(rows), -NEVER),
        effective=rows["effective_day"].fillna(rows["start_day"]).astype("int64"),
    )


def applied(said: Ints, policy: "pd.Series[str]") -> Ints:
    """Return the treatments that changes get: what is taken at once, or when it is completed, has no rest to spread anew."""
    return np.where((said == PROSPECTIVE) & policy.isin(["point_in_time", "milestone"]), CATCH_UP, said)


def allocated(rows: pd.DataFrame, *, allocate: bool) -> pd.DataFrame:
    """Return chained versions with ``shift_cents``, what the bundle's allocation adds to each version of a line."""
    shift = pd.Series(0, index=rows["line"].drop_duplicates(), dtype="int64")
    if allocate and len(rows):
        firsts = rows[rows["is_first"]]
        earliest = firsts.groupby("deal_id")["booked_day"].transform("min")
        bundled = firsts.loc[firsts["booked_day"] == earliest, "line"]
        bases = rows[rows["is_first"] | ((rows["treatment"] == RETROSPECTIVE) & (rows["status"] == "active"))]
        bases = bases[bases["line"].isin(bundled)].drop_duplicates("line", keep="last")
        deal = pd.factorize(bases["deal_id"])[0].astype(np.int64)
        found = schedule.allocated_shifts(
            deal, _ints(bases, "amount_cents"), _ints(bases, "standalone_cents"), (_ints(bases, "line_no"),)
        )
        shift.loc[bases["line"]] = found
    return rows.assign(shift_cents=rows["line"].map(shift).astype("int64"))


def standing(rows: pd.DataFrame, month: int, *, backdated: str) -> pd.DataFrame:
    """Return the chained versions that stand in a month: the schedule of the month is made of these."""
    if backdated == "service":
        begun = schedule.month_number(_ints(rows, "start_day")) <= month
        in_force = schedule.month_number(_ints(rows, "effective")) <= month
        agreed = np.where(rows["is_first"], begun, in_force)
    else:
        agreed = _ints(rows, "booked") <= month
    first_stands = rows["line"].isin(rows.loc[rows["is_first"] & agreed, "line"])
    rewrites = (rows["treatment"] == RETROSPECTIVE) & (rows["status"] == "active")
    return rows[np.where(rewrites, first_stands, agreed)]


def in_force(rows: pd.DataFrame, month: int) -> pd.DataFrame:
    """Return of standing versions the one in force on the last day of a month, one per line at most."""
    ends = int(schedule.last_day(np.array([month]))[0])
    counts = rows["is_first"] | (rows["treatment"] == RETROSPECTIVE) | (rows["effective"] <= ends)
    return rows[counts].drop_duplicates("line", keep="last")


def _ints(rows: pd.DataFrame, name: str) -> Ints:
    return rows[name].to_numpy(dtype=np.int64)


@dataclass(frozen=True)
class Scheduled:
    """Schedules of lines.

    Attributes:
        cells: their amounts; ``line`` numbers ``lines``.
        lines: ``line`` of the chained versions for each number in ``cells``.
        spreads: what each version spreads, in the order of the versions given.
    """

    cells: schedule.Cells
    lines: Ints
    spreads: schedule.Spreads


def scheduled(rows: pd.DataFrame, milestones: pd.DataFrame, month: int, *, stated: bool = False) -> Scheduled:
    """Return the schedules of chained, allocated versions as seen from a month; with ``stated``, at their stated prices."""
    codes, lines = pd.factorize(rows["line"])
    price = rows["amount_cents"] if stated else rows["amount_cents"] + rows["shift_cents"]
    versions = schedule.Versions(
        line=codes.astype(np.int64),
        amount=price.to_numpy(dtype=np.int64),
        policy=np.asarray(rows["policy"].map({name: code for code, name in enumerate(POLICIES)}), dtype=np.int64),
        treatment=_ints(rows, "treatment"),
        cancelled=(rows["status"] == "cancelled").to_numpy(dtype=bool),
        start=_ints(rows, "start_day"),
        end=_ints(rows, "end_day"),
        months=_ints(rows, "months"),
        effective=_ints(rows, "effective"),
        booked=_ints(rows, "booked"),
    )
    numbers = rows[[*LINE, "line"]].drop_duplicates("line").assign(number=np.arange(len(lines)))
    done = milestones.merge(numbers, on=LINE, how="inner")
    completed = schedule.Milestones(_ints(done, "number"), _ints(done, "completed_day"), _ints(done, "micro_share"))
    cells, spreads = schedule.schedule(versions, completed, month)
    return Scheduled(cells, np.asarray(lines, dtype=np.int64), spreads)


def run_rate(rows: pd.DataFrame, spreads: schedule.Spreads, months: int = 1) -> Ints:
    """Return what each version spreads over some months on average, in cents: 0 unless it recurs and goes on."""
    by_months = (rows["policy"] == "equal_months").to_numpy()
    unit = np.where(by_months, np.int64(1), schedule.MONTH_WEIGHT)
    divisor = np.where(by_months, spreads.months, np.maximum(spreads.weight, 1))
    counts = ((rows["revenue_class"] == "recurring") & (rows["status"] == "active")).to_numpy()
    return np.where(counts, schedule.rounded_quotient(spreads.amount, unit * months, divisor), 0)
