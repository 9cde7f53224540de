"""Schedules by another method: one line at a time, month by month, in fractions, as the specification reads.

Belongs here: the reference that the engine of schedules is compared with. Nothing of the package is called.
"""

import calendar
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import floor


@dataclass(frozen=True)
class Version:
    """A version of a deal line, in the words of the source."""

    amount: int
    booked_on: date
    start: date
    end: date
    months: int
    policy: str
    modification: str | None = None
    effective_from: date | None = None
    cancelled: bool = False


def at(day: date) -> int:
    """Return the number of a day's month."""
    return day.year * 12 + day.month - 1


def first_day(month: int) -> date:
    """Return the first day of a month by its number."""
    return date(month // 12, month % 12 + 1, 1)


def last_day(month: int) -> date:
    """Return the last day of a month by its number."""
    return date(month // 12, month % 12 + 1, calendar.monthrange(month // 12, month % 12 + 1)[1])


def half_away(value: Fraction) -> int:
    """Round half away from zero."""
    rounded = floor(abs(value) + Fraction(1, 2))
    return rounded if value >= 0 else -rounded


def _days_between(start: date, end: date) -> list[date]:
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _share(
    policy: str, start: date, end: date, months: int, until: int, done: Sequence[tuple[date, Fraction]], seen: int
) -> Fraction:
    """Return which share of a term has passed by the end of a month."""
    if policy == "equal_months":
        return Fraction(min(max(until - at(start) + 1, 0), months), months)
    if policy == "point_in_time":
        return Fraction(int(until >= at(start)))
    if policy == "milestone":
        falls = max(at(end), seen + 1)
        completed = min(Fraction(1), sum((s for day, s in done if at(day) <= min(until, seen)), Fraction(0)))
        return Fraction(1) if until >= falls else completed

    def weight(day: date) -> Fraction:
        return Fraction(1) if policy == "daily" else Fraction(1, calendar.monthrange(day.year, day.month)[1])

    term = _days_between(start, end)
    return sum((weight(day) for day in term if at(day) <= until), Fraction(0)) / sum((weight(day) for day in term), Fraction(0))


Schedule = dict[int, int]


def _spread(
    amount: int, policy: str, start: date, end: date, months: int, done: Sequence[tuple[date, Fraction]], seen: int
) -> Schedule:
    found: Schedule = defaultdict(int)
    first = min([at(start), *(at(day) for day, _ in done)])
    last = max(at(start) + months, at(end), seen + 1)
    before = 0
    for month in range(first, last + 1):
        now = half_away(amount * _share(policy, start, end, months, month, done, seen))
        found[month] = now - before
        before = now
    return found


def schedule(versions: Sequence[Version], done: Sequence[tuple[date, Fraction]], seen: int) -> tuple[Schedule, Schedule]:
    """Return what each month owes and the part of it that is caught up; ``versions`` in order, the first one the first."""
    due: Schedule = defaultdict(int)
    caught: Schedule = defaultdict(int)
    for number, version in enumerate(versions):
        treatment = version.modification or ("prospective" if version.effective_from else "retrospective")
        if treatment == "prospective" and version.policy in ("point_in_time", "milestone"):
            treatment = "catch_up"
        steps = ["first"] if number == 0 else []
        if version.cancelled:
            steps.append("cancelled")
        elif number:
            steps.append(treatment)
        before = versions[number - 1] if number else version
        price = [each.amount for place, each in enumerate(versions[: max(number, 1)]) if place == 0 or not each.cancelled][-1]
        for step in steps:
            due, caught = _step(step, version, before, price, at(versions[0].booked_on), due, caught, done, seen)
    return due, caught


def _step(
    step: str,
    version: Version,
    before: Version,
    price: int,
    first_booked: int,
    due: Schedule,
    caught: Schedule,
    done: Sequence[tuple[date, Fraction]],
    seen: int,
) -> tuple[Schedule, Schedule]:
    effective = version.effective_from or version.start
    month = at(effective)
    whole = _spread(version.amount, version.policy, version.start, version.end, version.months, done, seen)
    target: Schedule = defaultdict(int)
    target_caught: Schedule = defaultdict(int)
    if step in ("first", "retrospective", "catch_up"):
        target = whole
    else:
        for each in due:
            if each < month:
                target[each], target_caught[each] = due[each], caught[each]
        own = due[month] - caught[month]
        by_itself = step == "cancelled" and version.policy in ("point_in_time", "milestone")
        repeats = before.cancelled and before is not version and not by_itself
        part = _own_part(version, before, price, own, effective, done, seen, repeats=repeats)
        target[month] += caught[month] + part
        target_caught[month] = caught[month]
        if step == "prospective":
            rest = version.amount - sum(due[each] for each in due if each < month) - caught[month] - part
            if version.policy == "equal_months":
                begins = month if effective.day == 1 else month + 1
                months = max(at(version.start) + version.months - begins, 1)
                anew = _spread(rest, version.policy, first_day(begins), version.end, months, done, seen)
            else:
                anew = _spread(rest, version.policy, effective, version.end, version.months, done, seen)
            for each, cents in anew.items():
                target[each] += cents
    if step in ("first", "retrospective"):
        agreed, due, caught = first_booked, defaultdict(int), defaultdict(int)
    else:
        agreed = max(month, at(version.booked_on))
    result: Schedule = defaultdict(int)
    result_caught: Schedule = defaultdict(int)
    missed = 0
    for each in sorted({*due, *target, agreed}):
        if each < agreed:
            result[each], result_caught[each] = due[each], caught[each]
            missed += target[each] - due[each]
        else:
            result[each] = target[each] + (missed if each == agreed else 0)
            result_caught[each] = target_caught[each] + (missed if each == agreed else 0)
    return result, result_caught


def _own_part(
    version: Version,
    before: Version,
    price: int,
    own: int,
    effective: date,
    done: Sequence[tuple[date, Fraction]],
    seen: int,
    *,
    repeats: bool,
) -> int:
    if repeats:
        return own
    if version.policy == "equal_months":
        return 0 if effective.day == 1 else own
    if version.policy == "point_in_time":
        return own if before.start < effective else 0
    if version.policy == "milestone":
        limit = min(effective - timedelta(days=1), last_day(seen))
        begin = first_day(at(effective)) - timedelta(days=1)
        until, earlier = (
            half_away(price * min(Fraction(1), sum((s for day, s in done if day <= min(edge, last_day(seen))), Fraction(0))))
            for edge in (limit, begin)
        )
        return until - earlier
    days = [day for day in _days_between(before.start, before.end) if at(day) == at(effective)]
    if not days:
        return 0
    return half_away(Fraction(own * sum(day < effective for day in days), len(days)))
