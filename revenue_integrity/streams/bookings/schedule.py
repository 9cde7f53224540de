"""Recognition schedules: what each month of a deal line's life must be recognized, from the versions of the line.

Belongs here: spreading an amount over a term by policy, chaining versions by their accounting treatment, allocating a bundle's
price; pure functions over arrays, exact in whole cents (40-bookings, *The recognition schedule*). Does not belong here: which
versions stand in a month (``versions``), tables (``mart``), reading anything.

A month is its number, ``year * 12 + month - 1``; a day is its number since 1970-01-01. Lines have very different terms, so
all cells (line, month) of all lines stand in flat arrays, line by line, month by month. Amounts are 64-bit cents: products
are taken apart into quotient and remainder, so that no intermediate figure is larger than twice the square of a term's weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EQUAL_MONTHS, PRORATED_MONTHS, DAILY, POINT_IN_TIME, MILESTONE = range(5)
"""Codes of the policies, in the order of ``POLICIES``."""

POLICIES = ("equal_months", "prorated_months", "daily", "point_in_time", "milestone")

FIRST, RETROSPECTIVE, CATCH_UP, PROSPECTIVE = range(4)
"""Codes of the treatments, in the order of ``TREATMENTS``."""

TREATMENTS = ("first", "retrospective", "catch_up", "prospective")

MONTH_WEIGHT = 28 * 29 * 30 * 31 // 2
"""Weight of a full month in ``prorated_months``: divisible by the days of every month, so that a day's weight is whole."""

SHARE_UNIT = 1_000_000
"""A milestone's share is held with 6 places."""

LONGEST_TERM_MONTHS = 1_200
"""A term of a hundred years; up to there the square of its weight fits into 64 bits."""

NEVER = np.iinfo(np.int64).max // 4
"""A day or month that does not come."""


@dataclass(frozen=True)
class Versions:
    """Versions of deal lines, one element each, ordered by (line, version).

    Attributes:
        line: number of the line, from 0 without gaps.
        amount: cents, the allocated price of the whole term.
        policy: code of the policy.
        treatment: code of the treatment; the line's first version is ``FIRST``.
        cancelled: whether the version ends the line.
        start: first day of the term.
        end: last day of the term.
        months: N, the months of the term.
        effective: the day from which the version counts; of a first or retrospective one without it, ``start``.
        booked: month of ``booked_on``; before everything where bookings count as of their service.
    """

    line: Ints
    amount: Ints
    policy: Ints
    treatment: Ints
    cancelled: Flags
    start: Ints
    end: Ints
    months: Ints
    effective: Ints
    booked: Ints

    def __len__(self) -> int:
        return len(self.line)

    def where(self, kept: Flags | Ints) -> "Versions":
        """Return some of the versions."""
        return Versions(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Milestones:
    """Completed milestones of deal lines, one element each.

    Attributes:
        line: number of the line.
        day: the day on which it was completed.
        share: its share of the line, in millionths.
    """

    line: Ints
    day: Ints
    share: Ints


NO_MILESTONES = Milestones(*(np.empty(0, np.int64) for _ in range(3)))


@dataclass(frozen=True)
class Cells:
    """Amounts by line and month.

    Attributes:
        line: number of the line.
        month: number of the month.
        cents: what must be recognized.
        catch_up: the part of it that makes up for earlier months.
    """

    line: Ints
    month: Ints
    cents: Ints
    catch_up: Ints


@dataclass(frozen=True)
class Spreads:
    """What each version spreads anew, one element per version in their order.

    Attributes:
        amount: cents that it spreads: its amount, of a prospective one the rest.
        months: months over which it would spread them in equal parts.
        weight: weight of the days over which it spreads them, in parts of ``MONTH_WEIGHT``.
        total: what the line's schedule adds up to with it.
    """

    amount: Ints
    months: Ints
    weight: Ints
    total: Ints


def month_number(days: Ints) -> Ints:
    """Return the months of some days."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12


def first_day(month: Ints) -> Ints:
    """Return the first days of some months."""
    return (month - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def last_day(month: Ints) -> Ints:
    """Return the last days of some months."""
    return first_day(month + 1) - 1


def rounded_share(amount: Ints, part: Ints, whole: Ints) -> Ints:
    """Return ``amount * part / whole``, rounded half away from zero; ``part`` between 0 and ``whole``, ``whole`` above 0."""
    quotient, rest = np.divmod(np.abs(amount), whole)
    return np.sign(amount) * (quotient * part + (2 * rest * part + whole) // (2 * whole))


def rounded_quotient(amount: Ints, factor: Ints, divisor: Ints) -> Ints:
    """Return ``amount * factor / divisor``, rounded half away from zero."""
    quotient, rest = np.divmod(np.abs(amount), divisor)
    return np.sign(amount) * (quotient * factor + (2 * rest * factor + divisor) // (2 * divisor))


def weight_to(day: Ints) -> Ints:
    """Return the weight of all days up to and with a day: a day weighs its share of its calendar month."""
    month = month_number(day)
    begin = first_day(month)
    return month * MONTH_WEIGHT + (day - begin + 1) * (MONTH_WEIGHT // (first_day(month + 1) - begin))


def term_weight(start: Ints, end: Ints) -> Ints:
    """Return the weight of the days from ``start`` to ``end``; 0 where there are none."""
    return np.maximum(weight_to(end) - weight_to(start - 1), 0)


def allocated_shifts(deal: Ints, amount: Ints, standalone: Ints, order: Sequence[Ints]) -> Ints:
    """Return what allocation adds to each base of a bundle: its part of the bundle's price less its own amount.

    ``deal`` names the bundle of each base, ``standalone`` is its standalone price (0: none), ``order`` breaks ties of the
    largest remainder. A bundle with a base that has no standalone price keeps its amounts.
    """
    if not len(deal):
        return np.empty(0, np.int64)
    rank = np.lexsort((*reversed(order), deal))
    begins = np.flatnonzero(np.r_[True, np.diff(deal[rank]) != 0])
    group = np.repeat(np.arange(len(begins)), np.diff(np.r_[begins, len(deal)]))
    # A bundle's price times a standalone price leaves 64 bits long before either does: bundles are few, so whole numbers of
    # any size are cheap here.
    price, alone = amount[rank].astype(object), standalone[rank].astype(object)
    totals, weights = np.add.reduceat(price, begins), np.add.reduceat(alone, begins)
    allocates = np.minimum.reduceat(standalone[rank], begins) > 0
    numerator, whole = totals[group] * alone, np.where(allocates, weights, 1)[group]
    part = numerator // whole
    remainder = numerator - part * whole
    missing = totals - np.add.reduceat(part, begins)
    # Comparing remainders of one bundle: all have its divisor.
    by_remainder = np.lexsort((np.arange(len(rank)), [-each for each in remainder], group))
    place = np.empty(len(rank), np.int64)
    place[by_remainder] = np.arange(len(rank)) - begins[group[by_remainder]]
    part = part + (place < missing[group])
    shift = np.where(allocates[group], part - price, 0)
    found = np.empty(len(rank), np.int64)
    found[rank] = shift.astype(np.int64)
    return found


def schedule(versions: Versions, milestones: Milestones = NO_MILESTONES, month: int | None = None) -> tuple[Cells, Spreads]:
    """Return the schedule of all lines, and what each version spreads.

    ``month`` is the month from which open milestones are looked at: what is not completed by its end stands in the month of
    the term's end, but not before the month after it. Without it, all that is known counts.
    """
    if not len(versions):
        none = np.empty(0, np.int64)
        return Cells(none, none, none, none), Spreads(none, none, none, none)
    grid = _Grid(versions, milestones, NEVER if month is None else month)
    rank = np.arange(len(versions)) - np.searchsorted(versions.line, versions.line)
    # A first version that is cancelled is its own spread, and then changed by itself.
    previous = np.arange(len(versions)) - (rank > 0)
    priced = np.maximum.accumulate(np.where((rank == 0) | ~versions.cancelled, np.arange(len(versions)), 0))[previous]
    spreads = Spreads(versions.amount.copy(), versions.months.copy(), term_weight(versions.start, versions.end), rank * 0)
    for at in range(int(rank.max()) + 1):
        chosen = np.flatnonzero(rank == at)
        begins = versions.treatment[chosen] == FIRST
        spreads.total[chosen[begins]] = grid.begin(versions.where(chosen[begins]))
        for changes in (chosen[begins & versions.cancelled[chosen]], chosen[~begins]):
            before, price = versions.where(previous[changes]), versions.amount[priced[changes]]
            for name, found in grid.change(versions.where(changes), before, price).items():
                getattr(spreads, name)[changes] = found
    return grid.cells(), spreads


class _Grid:
    """The cells of all lines while versions are added to them, rank by rank."""

    def __init__(self, versions: Versions, milestones: Milestones, seen_from: int) -> None:
        begins = np.flatnonzero(np.r_[True, np.diff(versions.line) != 0])
        self._seen_from = seen_from
        self._milestones = milestones
        start, end, effective = (month_number(each) for each in (versions.start, versions.end, versions.effective))
        booked = np.where(versions.booked > -NEVER, versions.booked, start)
        first, last = np.minimum.reduce([start, effective, booked]), np.maximum.reduce([end, start + versions.months - 1, booked])
        # What is spread anew from a month on takes one month at least, and an open milestone stands behind what is seen.
        last = np.maximum(last, effective) + 1
        if seen_from < NEVER:
            last = np.where(versions.policy == MILESTONE, np.maximum(last, seen_from + 1), last)
        self._first = np.minimum.reduceat(first, begins)
        self._last = np.maximum.reduceat(last, begins)
        if len(milestones.line):
            completed = month_number(milestones.day)
            np.minimum.at(self._first, milestones.line, completed)
            np.maximum.at(self._last, milestones.line, completed)
        self._booked_first = versions.booked[begins]
        self._earliest = int(self._first.min())
        self._month_end = last_day(np.arange(self._earliest, int(self._last.max()) + 1))
        self._width = self._last - self._first + 1
        self._begin = np.r_[0, np.cumsum(self._width)]
        self.cents = np.zeros(self._begin[-1], np.int64)
        self.catch_up = np.zeros(self._begin[-1], np.int64)

    def cells(self) -> Cells:
        """Return all cells."""
        line = np.repeat(np.arange(len(self._width)), self._width)
        month = self._first[line] + np.arange(len(line)) - self._begin[line]
        return Cells(line, month, self.cents, self.catch_up)

    def begin(self, now: Versions) -> Ints:
        """Add the first versions of some lines; return what each line adds up to."""
        of = _Selection(self, now)
        nothing = np.zeros(len(of.at), np.int64)
        target = self._spread(of, now.amount, now.policy, now.start, now.end, now.months)
        self.cents[of.cell], self.catch_up[of.cell] = of.agreed_from(now.booked, target, nothing, nothing, nothing)
        return of.sums(self.cents[of.cell])

    def change(self, now: Versions, before: Versions, price: Ints) -> dict[str, Ints]:
        """Change the schedules of some lines by a version each, given the one before it; return what each spreads.

        ``price`` is that of each line before the change: of its last version that goes on, or else of its first.
        """
        of = _Selection(self, now)
        old, old_catch_up = self.cents[of.cell], self.catch_up[of.cell]
        month = month_number(now.effective)
        earlier, in_month = of.month < month[of.at], of.month == month[of.at]
        made_up = of.sums(np.where(in_month, old_catch_up, 0))
        own = of.sums(np.where(in_month, old - old_catch_up, 0))
        kept = made_up + self._own_part(now, before, price, own)

        goes_on = (now.treatment == PROSPECTIVE) & ~now.cancelled
        next_month = np.where(now.effective == first_day(month), month, month + 1)
        since = np.where(now.policy == EQUAL_MONTHS, first_day(next_month), now.effective)
        amount = np.where(goes_on, now.amount - of.sums(np.where(earlier, old, 0)) - kept, now.amount)
        months = np.where(goes_on, np.maximum(month_number(now.start) + now.months - next_month, 1), now.months)
        begins = np.where(goes_on, since, now.start)
        target = self._spread(of, amount, now.policy, begins, now.end, months)

        remains = (goes_on | now.cancelled)[of.at]
        target = np.where(now.cancelled[of.at], 0, target)
        target += np.where(remains, np.where(earlier, old, 0) + np.where(in_month, kept[of.at], 0), 0)
        catch_up = np.where(remains, np.where(earlier, old_catch_up, 0) + np.where(in_month, made_up[of.at], 0), 0)

        anew = (now.treatment == RETROSPECTIVE) & ~now.cancelled
        agreed = np.where(anew, self._booked_first[now.line], np.maximum(month, now.booked))
        stays = ~anew[of.at]
        self.cents[of.cell], self.catch_up[of.cell] = of.agreed_from(agreed, target, catch_up, old * stays, old_catch_up * stays)
        return {
            "amount": amount,
            "months": months,
            "weight": term_weight(begins, now.end),
            "total": of.sums(self.cents[of.cell]),
        }

    def _own_part(self, now: Versions, before: Versions, price: Ints, own: Ints) -> Ints:
        """Return how much of what the month of change owed by itself, at ``price``, stays (*kept* without its catch-up)."""
        month = month_number(now.effective)
        begins = np.maximum(before.start, first_day(month))
        ends = np.minimum(before.end, last_day(month))
        days = np.maximum(ends - begins + 1, 0)
        earlier = np.maximum(np.minimum(ends, now.effective - 1) - begins + 1, 0)
        by_days = np.where(days > 0, rounded_share(own, np.minimum(earlier, days), np.maximum(days, 1)), 0)
        by_month = np.where(now.effective == first_day(month), 0, own)
        at_once = np.where(before.start < now.effective, own, 0)
        done = self._completed_before(now.line, now.effective - 1)
        done_earlier = self._completed_before(now.line, first_day(month) - 1)
        unit = np.full(len(own), SHARE_UNIT)
        # What was completed was earned at the price that held: a cancellation, whatever amount it carries, sets no price.
        by_completion = rounded_share(price, done, unit) - rounded_share(price, done_earlier, unit)
        part = np.select(
            [now.policy == EQUAL_MONTHS, now.policy == POINT_IN_TIME, now.policy == MILESTONE],
            [by_month, at_once, by_completion],
            by_days,
        )
        # After a cancellation what the month still holds is all there is, but for what tells by itself how much was served.
        by_itself = now.cancelled & ((now.policy == POINT_IN_TIME) | (now.policy == MILESTONE))
        return np.where(before.cancelled & (now.treatment != FIRST) & ~by_itself, own, part)

    def _completed_before(self, line: Ints, day: Ints) -> Ints:
        """Return the share of each line that was completed on or before a day, in millionths."""
        done = self._milestones
        if not len(done.line):
            return np.zeros(len(line), np.int64)
        seen = min(self._seen_from, 12 * 9999)
        limit = np.minimum(day, last_day(np.full(len(line), seen)))
        limits = np.zeros(len(self._width), np.int64)
        limits[line] = limit
        chosen = np.zeros(len(self._width), bool)
        chosen[line] = True
        counted = chosen[done.line] & (done.day <= limits[done.line])
        sums = np.zeros(len(self._width), np.int64)
        np.add.at(sums, done.line[counted], done.share[counted])
        return np.minimum(sums[line], SHARE_UNIT)

    def _spread(self, of: "_Selection", amount: Ints, policy: Ints, start: Ints, end: Ints, months: Ints) -> Ints:
        """Return an amount per version spread over its term, as cells; each policy over the cells of its versions alone."""
        part = np.empty(len(of.at), np.int64)
        whole = np.empty(len(policy), np.int64)
        first, last = month_number(start), month_number(end)
        for code in np.unique(policy):
            mine = policy == code
            cells = np.flatnonzero(mine[of.at])
            at, month = of.at[cells], of.month[cells]
            if code == EQUAL_MONTHS:
                whole[mine] = months[mine]
                part[cells] = np.clip(month - first[at] + 1, 0, months[at])
            elif code == DAILY:
                whole[mine] = np.maximum(end[mine] - start[mine] + 1, 1)
                reached = np.where(month < last[at], self._month_end[month - self._earliest], end[at])
                part[cells] = np.clip(reached - start[at] + 1, 0, whole[at])
            elif code == PRORATED_MONTHS:
                whole[mine] = np.maximum(term_weight(start[mine], end[mine]), 1)
                reached = np.where(month < last[at], (month + 1) * MONTH_WEIGHT, weight_to(end)[at])
                part[cells] = np.clip(reached - weight_to(start - 1)[at], 0, whole[at])
            elif code == POINT_IN_TIME:
                whole[mine] = 1
                part[cells] = month >= first[at]
            else:
                whole[mine] = SHARE_UNIT
                part[cells] = self._completed(of, end)[cells]
        return of.differences(rounded_share(amount[of.at], part, whole[of.at]))

    def _completed(self, of: "_Selection", end: Ints) -> Ints:
        """Return the share completed by the end of each cell's month; what is open as seen from a month stands behind it."""
        done = self._milestones
        shares = np.zeros(self._begin[-1], np.int64)
        known = month_number(done.day) <= self._seen_from
        place = self._begin[done.line[known]] + month_number(done.day[known]) - self._first[done.line[known]]
        np.add.at(shares, place, done.share[known])
        completed = np.minimum(of.cumulated(shares[of.cell]), SHARE_UNIT)
        falls = month_number(end)
        if self._seen_from < NEVER:
            falls = np.maximum(falls, self._seen_from + 1)
        return np.where(of.month >= falls[of.at], SHARE_UNIT, completed)


class _Selection:
    """The cells of some lines, one version each: ``at`` is the version of a cell, ``cell`` its place among all."""

    def __init__(self, grid: _Grid, versions: Versions) -> None:
        width = grid._width[versions.line]
        self._begin = np.r_[0, np.cumsum(width)]
        self.at = np.repeat(np.arange(len(versions)), width)
        within = np.arange(self._begin[-1]) - self._begin[self.at]
        self.cell = grid._begin[versions.line][self.at] + within
        self.month = grid._first[versions.line][self.at] + within

    def cumulated(self, values: Ints) -> Ints:
        """Return running sums within each line."""
        running = np.cumsum(values)
        return running - np.r_[0, running][self._begin[:-1]][self.at]

    def differences(self, cumulative: Ints) -> Ints:
        """Return what each month adds to cumulative amounts."""
        before = np.r_[0, cumulative[:-1]]
        before[self._begin[:-1]] = 0
        return cumulative - before

    def sums(self, values: Ints) -> Ints:
        """Return the sum over each line's cells."""
        return np.add.reduceat(values, self._begin[:-1])

    def agreed_from(self, agreed: Ints, target: Ints, target_catch_up: Ints, old: Ints, old_catch_up: Ints) -> tuple[Ints, Ints]:
        """Return the target from the month it was agreed on; there, what earlier months would have had is made up for."""
        earlier, in_month = self.month < agreed[self.at], self.month == agreed[self.at]
        missed = self.sums(np.where(earlier, target - old, 0))
        made_up = np.where(in_month, missed[self.at], 0)
        cents = np.where(earlier, old, target) + made_up
        return cents, np.where(earlier, old_catch_up, target_catch_up) + made_up


def without_allocation(versions: Versions, shift: Ints) -> Versions:
    """Return the versions at their stated prices."""
    return replace(versions, amount=versions.amount - shift)
