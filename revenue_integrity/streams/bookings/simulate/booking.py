"""What accounting books and bills when nothing goes wrong: an entry for what each line owes a month, invoices ahead of it.

Belongs here: entries, invoices, and when both are posted and sent. Does not belong here: what goes wrong with them (``faults``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from revenue_integrity.streams.bookings.simulate.deals import Deal, Line, World
from revenue_integrity.streams.bookings.simulate.due import Schedule, month_of, number_of, schedule

Cutoff = Callable[[date], datetime]

REVIEWERS = ("A. Okafor", "L. Brandt", "M. Sato")


@dataclass(frozen=True)
class Close:
    """When a month is booked, closed and extracted.

    Attributes:
        cutoff: the last instant at which a posting of the month is in time.
        booked: when the run of the month posts its entries.
        closing: the extract after the cutoff.
        later: the extract in the middle of the month after.
    """

    cutoff: datetime
    booked: datetime
    closing: datetime
    later: datetime


def close_of(month: int, cutoff: Cutoff) -> Close:
    """Return the close of a month."""
    ends = cutoff(month_of(month))
    booked = datetime.combine(month_of(month + 1), time(6, 0), UTC)
    closing = (ends + timedelta(minutes=40)).replace(second=0, microsecond=0)
    return Close(ends, booked, closing, closing + timedelta(days=10))


@dataclass
class Entry:
    """A recognition entry.

    Attributes:
        line: the line that it belongs to.
        month: the period.
        cents: its signed amount.
        posted_at: when.
        stands_at: the line under whose name it is booked; ``None`` if nobody knows the name.
        revenue_type: as booked.
        kind: ``recognition``, ``adjustment``, ``reversal``.
        reverses: the entry that it reverses.
        entry_id: given once all are known.
        first_sent: what an extract said before it was put right, if it was.
        reference: what it is booked under instead of the line's own name.
        reviewed: whether somebody looked at it.
    """

    line: Line
    month: int
    cents: int
    posted_at: datetime
    stands_at: Line | None
    revenue_type: str
    kind: str = "recognition"
    reverses: "Entry | None" = None
    entry_id: str = ""
    first_sent: "Entry | None" = None
    reference: str = ""
    reviewed: bool = True


@dataclass(frozen=True)
class Bill:
    """An invoice line, or a credit memo if negative."""

    line: Line
    month: int
    cents: int
    posted_at: datetime


@dataclass
class Books:
    """All that was booked and billed.

    Attributes:
        first, last: numbers of the months that are simulated.
        closes: by month; from long before the first on.
        entries: by line and month of what is due.
        extra: entries that no month asked for.
        bills: invoices and credit memos.
    """

    first: int
    last: int
    closes: dict[int, Close]
    entries: dict[tuple[tuple[str, int], int], Entry] = field(default_factory=dict)
    extra: list[Entry] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)

    def all_entries(self) -> list[Entry]:
        """Return all entries in the order in which they are booked."""
        found = [*self.entries.values(), *self.extra]
        return sorted(found, key=lambda each: (each.posted_at, each.line.key, each.month, each.cents, each.kind))

    def recognized_in(self, posted_at: datetime, month: int) -> int:
        """Return the month whose close takes a posting in: its own, or the first that was still open."""
        while month <= self.last and posted_at > self.closes[month].cutoff:
            month += 1
        return month


def book(world: World, months: Sequence[date], cutoff: Cutoff, seed: int) -> Books:
    """Return the books without faults; what lies before the first month is carried in one entry a line and one bill a deal."""
    rng = np.random.default_rng([seed, 302])
    first, last = number_of(months[0]), number_of(months[-1])
    books = Books(first, last, {month: close_of(month, cutoff) for month in range(first - 1, last + 1)})
    for line in world.lines:
        carried = sum(due.cents for month, due in line.due.items() if month < first)
        due = {month: each.cents for month, each in line.due.items() if first <= month <= last}
        if carried:
            due[first - 1] = carried
        for month, cents in sorted(due.items()):
            if cents:
                posted = books.closes[month].booked + timedelta(seconds=int(rng.integers(0, 7_200)))
                books.entries[line.key, month] = Entry(line, month, cents, posted, line, line.revenue_type)
    for entry in books.entries.values():
        entry.reviewed = bool(rng.random() < 0.97)
    for deal in world.deals:
        books.bills += _bills(deal, books, rng)
    return books


def _bills(deal: Deal, books: Books, rng: np.random.Generator) -> list[Bill]:
    """Return what is billed of a deal: ahead, for as many months as it says; what was agreed since goes with the next bill."""
    found = []
    for line in deal.lines:
        billed = 0
        for month in _billing_months(line, deal.billed_every, books):
            known = [each for each in line.versions if number_of(each.booked_on) <= month]
            if not known:
                continue
            seen = line.due if len(known) == len(line.versions) else schedule(known, line.shift, line.milestones)
            cents = _stated_until(seen, _covered(line, month, deal.billed_every)) - billed
            billed += cents
            if cents:
                day = month_of(month) + timedelta(days=int(rng.integers(1, 26)))
                found.append(Bill(line, month, cents, datetime.combine(day, time(15, 0), UTC)))
    before = [each for each in found if each.month < books.first]
    carried = sum(each.cents for each in before)
    kept = [each for each in found if each.month >= books.first]
    if carried:
        at = datetime.combine(month_of(books.first - 1) + timedelta(days=14), time(15, 0), UTC)
        kept.insert(0, Bill(deal.lines[0], books.first - 1, carried, at))
    return kept


def _billing_months(line: Line, every: int, books: Books) -> list[int]:
    """Return the months in which a line may be billed: of its beat, and those in which something was agreed."""
    first = line.versions[0]
    begins = max(number_of(first.start), number_of(first.booked_on))
    ends = min(max(line.due, default=begins), books.last)
    agreed = {max(number_of(each.booked_on), begins) for each in line.versions[1:]}
    if line.milestones:
        return list(range(begins, ends + 1))
    beat = set(range(begins, ends + 1, every)) if every else {begins}
    return sorted(month for month in beat | agreed if month <= books.last)


def _covered(line: Line, month: int, every: int) -> int:
    """Return the month up to which a bill covers a line."""
    if line.milestones:
        return month
    if not every:
        return 10**6
    begins = max(number_of(line.versions[0].start), number_of(line.versions[0].booked_on))
    return begins + ((month - begins) // every + 1) * every - 1


def _stated_until(due: Schedule, month: int) -> int:
    return sum(each.cents for number, each in due.items() if number <= month)
