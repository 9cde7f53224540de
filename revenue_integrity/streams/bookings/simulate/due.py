"""What a deal line must recognize month by month, worked out line by line in plain integers.

Belongs here: the arithmetic of 40-bookings, *The recognition schedule*, as an accountant would do it on paper. Does not
belong here: who signed what (``deals``), what was booked (``booking``).

A month is its number, ``year * 12 + month - 1``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

SHARE_UNIT = 1_000_000
"""Shares of milestones are held in millionths."""

_MONTH_WEIGHT = 28 * 29 * 30 * 31 // 2
"""What a full month weighs: the days of every month divide it."""


@dataclass(frozen=True)
class Version:
    """A version of a deal line as it was agreed.

    Attributes:
        number: its number in the line.
        amount: stated price of the whole term, in cents.
        booked_on: the day on which it was agreed.
        start, end: first and last day of the term.
        months: months of the term.
        policy: how it is spread.
        treatment: ``first``, ``retrospective``, ``prospective``, ``catch_up``.
        cancelled: whether it ends the line.
        effective: day from which it counts.
        change: what it changes, as the CRM says.
    """

    number: int
    amount: int
    booked_on: date
    start: date
    end: date
    months: int
    policy: str
    treatment: str = "first"
    cancelled: bool = False
    effective: date | None = None
    change: str = "new"


@dataclass(frozen=True)
class Milestone:
    """A milestone of a line: its share in millionths, and the day on which it was completed, if it was."""

    number: int
    share: int
    completed_on: date | None


@dataclass(frozen=True)
class Due:
    """What a month owes: all of it, and the part that makes up for earlier months."""

    cents: int
    catch_up: int = 0


Schedule = dict[int, Due]


def number_of(day: date) -> int:
    """Return the number of a day's month."""
    return day.year * 12 + day.month - 1


def month_of(number: int) -> date:
    """Return the first day of a month by its number."""
    return date(number // 12, number % 12 + 1, 1)


def last_day(number: int) -> date:
    """Return the last day of a month by its number."""
    return month_of(number + 1) - timedelta(days=1)


def rounded(amount: int, part: int, whole: int) -> int:
    """Return ``amount * part / whole``, rounded half away from zero."""
    cents = (2 * abs(amount) * part + whole) // (2 * whole)
    return cents if amount >= 0 else -cents


def _weight(start: date, end: date) -> int:
    """Return what the days from ``start`` to ``end`` weigh, each its share of its calendar month."""
    total = 0
    for number in range(number_of(start), number_of(end) + 1):
        days = (last_day(number) - month_of(number)).days + 1
        inside = (min(end, last_day(number)) - max(start, month_of(number))).days + 1
        total += inside * (_MONTH_WEIGHT // days)
    return total


def _spread(
    policy: str, amount: int, start: date, end: date, months: int, milestones: Sequence[Milestone] = ()
) -> dict[int, int]:
    """Return an amount spread over a term: cumulative amounts are rounded, months are their differences."""
    first = number_of(start)
    if policy == "point_in_time":
        return {first: amount}
    parts: dict[int, int] = {}
    if policy == "equal_months":
        whole = months
        parts = {first + k: k + 1 for k in range(months)}
    elif policy == "milestone":
        whole = SHARE_UNIT
        done = 0
        for each in sorted((each for each in milestones if each.completed_on), key=lambda each: each.completed_on or date.max):
            done += each.share
            parts[number_of(each.completed_on or date.max)] = min(done, SHARE_UNIT)
    else:
        measure = _weight if policy == "prorated_months" else lambda begin, stop: (stop - begin).days + 1
        whole = measure(start, end)
        parts = {number: measure(start, min(last_day(number), end)) for number in range(first, number_of(end) + 1)}
    found, before = {}, 0
    for number, part in sorted(parts.items()):
        cumulative = rounded(amount, part, whole)
        found[number] = cumulative - before
        before = cumulative
    return found


def schedule(versions: Sequence[Version], shift: int = 0, milestones: Sequence[Milestone] = ()) -> Schedule:
    """Return what each month of a line owes, from its versions in their order; ``shift`` is what allocation adds to its price."""
    before: Schedule = {}
    previous = versions[0]
    for now in versions:
        before = _begun(now, shift, milestones) if now is versions[0] else _changed(before, previous, now, shift, versions[0])
        previous = now
    return {number: due for number, due in sorted(before.items()) if due.cents or due.catch_up}


def _begun(now: Version, shift: int, milestones: Sequence[Milestone]) -> Schedule:
    target = _spread(now.policy, now.amount + shift, now.start, now.end, now.months, milestones)
    return _agreed({}, {number: Due(cents) for number, cents in target.items()}, number_of(now.booked_on))


def _changed(before: Schedule, previous: Version, now: Version, shift: int, first: Version) -> Schedule:
    amount = now.amount + shift
    effective = now.effective or now.start
    month = number_of(effective)
    booked = number_of(now.booked_on)
    at_once = now.policy in ("point_in_time", "milestone")
    if not now.cancelled and (now.treatment != "prospective" or at_once):
        whole = {number: Due(cents) for number, cents in _spread(now.policy, amount, now.start, now.end, now.months).items()}
        if now.treatment == "retrospective":
            return _agreed({}, whole, number_of(first.booked_on))
        return _agreed(before, whole, max(month, booked))
    due = before.get(month, Due(0))
    own = due.cents - due.catch_up
    on_the_first = effective == month_of(month)
    if now.policy == "equal_months":
        part = 0 if on_the_first else own
    elif at_once:
        part = own if previous.start < effective else 0
    else:
        begins, ends = max(previous.start, month_of(month)), min(previous.end, last_day(month))
        days = max((ends - begins).days + 1, 0)
        part = rounded(own, min(max((effective - begins).days, 0), days), days) if days else 0
    target = {number: each for number, each in before.items() if number < month}
    target[month] = Due(due.catch_up + part, due.catch_up)
    if not now.cancelled:
        rest = amount - sum(each.cents for each in target.values())
        if now.policy == "equal_months":
            begin = month if on_the_first else month + 1
            last = number_of(now.start) + now.months - 1
            spread = _spread(now.policy, rest, month_of(begin), now.end, max(last - begin + 1, 1))
        else:
            spread = _spread(now.policy, rest, effective, now.end, now.months)
        for number, cents in spread.items():
            kept = target.get(number, Due(0))
            target[number] = Due(kept.cents + cents, kept.catch_up)
    return _agreed(before, target, max(month, booked))


def _agreed(before: Schedule, target: Schedule, since: int) -> Schedule:
    """Return the target from the month of the agreement on; there, what earlier months would have had is made up for."""
    missed = sum(each.cents for number, each in target.items() if number < since)
    missed -= sum(each.cents for number, each in before.items() if number < since)
    found: dict[int, Due] = defaultdict(lambda: Due(0))
    found.update({number: each for number, each in before.items() if number < since})
    found.update({number: each for number, each in target.items() if number >= since})
    found[since] = Due(found[since].cents + missed, found[since].catch_up + missed)
    return dict(found)


def allocated_shifts(amounts: Mapping[int, int], standalone: Mapping[int, int]) -> dict[int, int]:
    """Return what allocation adds to each line of a bundle, by line number: its part of the price less its own amount."""
    total, weight = sum(amounts.values()), sum(standalone.values())
    if not all(standalone.get(line, 0) > 0 for line in amounts):
        return dict.fromkeys(amounts, 0)
    parts = {line: total * standalone[line] // weight for line in amounts}
    by_remainder = sorted(amounts, key=lambda line: (-(total * standalone[line] % weight), line))
    for line in by_remainder[: total - sum(parts.values())]:
        parts[line] += 1
    return {line: parts[line] - amounts[line] for line in amounts}
