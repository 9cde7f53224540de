"""What goes wrong in the books: faults of every cause, what later makes them good, what only looks like a fault; and the truth.

Belongs here: where a fault is planted, what it does to the entries, and the cents that it should cause. Does not belong here: how
many there are (``plan``), files (``program``).

A line has one fault at most, and a customer none within a month of another, so that each fault stands by itself and what it
causes is known to the cent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from revenue_integrity import months as service_months
from revenue_integrity.streams.bookings.simulate.booking import Books, Entry
from revenue_integrity.streams.bookings.simulate.deals import Line, World
from revenue_integrity.streams.bookings.simulate.due import Due, month_of, number_of, rounded, schedule
from revenue_integrity.streams.bookings.simulate.plan import Plan

FAULT_COLUMNS = (
    "kind",
    "recon",
    "view",
    "month",
    "customer_id",
    "deal_id",
    "line_no",
    "revenue_type",
    "cause",
    "cents",
    "planted_in_batch",
    "cured_at",
    "cured_by_batch",
)
LOOK_ALIKE_COLUMNS = ("kind", "month", "customer_id", "deal_id", "line_no", "revenue_type")

RECON = "recognized_vs_schedule"

_OTHER_TYPE = {"subscription": "support", "support": "maintenance", "maintenance": "service"}
_DURATIONS = (18, 24, 36, 15, 30, 9)
_LONGEST = 120


@dataclass(frozen=True)
class Told:
    """One row of the truth: what a fault should cause in a row of the reconciliation.

    Attributes:
        kind: the fault.
        line: the line of the row; its deal and number are empty where ``has_line`` is not set.
        month: the month.
        revenue_type: of the row.
        cause: the cause that should be named.
        cents: what it should explain.
        sent_at: when the extracts first showed it.
        view: the view of the reconciliation.
        cured_at: when an extract put it right.
        by_mapping: whether the mapping did.
        has_line: whether the row has a line.
    """

    kind: str
    line: Line
    month: int
    revenue_type: str
    cause: str
    cents: int
    sent_at: datetime
    view: str = "current"
    cured_at: datetime | None = None
    by_mapping: bool = False
    has_line: bool = True


@dataclass(frozen=True)
class LookAlike:
    """A row that looks like a fault and is none."""

    kind: str
    line: Line
    month: int


class Planter:
    """Plants faults into books, and keeps account of them."""

    def __init__(self, world: World, books: Books, plan: Plan, seed: int) -> None:
        self._world = world
        self._books = books
        self._plan = plan
        self._rng = np.random.default_rng([seed, 303])
        self._lines = world.lines
        self._of_customer: dict[str, list[Line]] = defaultdict(list)
        for line in self._lines:
            self._of_customer[line.deal.customer.customer_id].append(line)
        self._bills = {(bill.line.key, bill.month): bill.cents for bill in books.bills}
        self._used: set[tuple[str, int]] = set()
        self._busy: dict[str, set[int]] = defaultdict(set)
        self.told: list[Told] = []
        self.look_alikes: list[LookAlike] = []
        self.mappings: list[tuple[datetime, str, Line]] = []
        self.planted = 0

    def plan_all(self) -> None:
        """Plant what the plan says: what has the fewest possible places first, over all months."""
        first_recent = self._books.last - self._plan.recent_months + 1
        months = range(self._books.first, self._books.last + 1)
        for kind in self._makers():
            for month in months:
                recent = month >= first_recent
                counts = {"open": self._plan.open} if recent else {"settled": self._plan.settled, "cured": self._plan.cured}
                for name, kinds in counts.items():
                    for _ in range(self._count(kinds.get(kind, 0))):
                        self.planted += self._plant(kind, month, cured=name == "cured", small=not recent)
        for kind, make in self._look_alikes().items():
            for month in months:
                for _ in range(self._count(self._plan.look_alikes.get(kind, 0))):
                    line = make(month)
                    if line is not None:
                        self.look_alikes.append(LookAlike(kind, line, month))

    def bad_rows_by_month(self) -> dict[int, int]:
        """Return how many rows that nobody can use each recent month has."""
        recent = range(self._books.last - self._plan.recent_months + 1, self._books.last + 1)
        return {month: self._count(self._plan.bad_rows) for month in recent if month >= self._books.first}

    def _count(self, rate: float) -> int:
        whole = int(rate)
        return whole + int(self._rng.random() < rate - whole)

    def _plant(self, kind: str, month: int, *, cured: bool, small: bool) -> bool:
        make, fits = self._makers()[kind]
        lines = self._smallest(month) if small else self._in_some_order()
        for line in lines:
            if line.key not in self._used and self._is_free(line, month) and fits(line, month) and make(line, month, cured):
                return True
        return False

    def _in_some_order(self) -> Iterator[Line]:
        return (self._lines[at] for at in self._rng.permutation(len(self._lines)))

    def _smallest(self, month: int) -> Iterator[Line]:
        """Yield lines that owe least in a month: what is made good later must not have kept the month from being closed."""
        owing = [line for line in self._lines if line.key not in self._used and line.cents(month) > 0]
        yield from sorted(owing, key=lambda line: (line.cents(month), line.key))[: max(len(owing) // 4, 12)]

    def _is_free(self, line: Line, month: int) -> bool:
        return not self._busy[line.deal.customer.customer_id] & {month - 1, month, month + 1, month + 2}

    def _take(self, *lines: Line, months: tuple[int, ...]) -> None:
        for line in lines:
            self._used.add(line.key)
            for month in months:
                self._busy[line.deal.customer.customer_id] |= {month - 1, month, month + 1}

    # --- what a line must be like ---------------------------------------------------------------------------------------------

    def _entry(self, line: Line, month: int) -> Entry | None:
        return self._books.entries.get((line.key, month))

    def _is_plain(self, line: Line) -> bool:
        """Whether a line has one version, in equal months, booked in time, and nothing beside it."""
        first = line.versions[0]
        return (
            len(line.versions) == 1
            and first.policy == "equal_months"
            and number_of(first.booked_on) <= number_of(first.start)
            and len(line.deal.lines) == 1
        )

    def _is_steady(self, line: Line, month: int) -> bool:
        """Whether a plain line owes something in the months around one, too."""
        return (
            self._is_plain(line)
            and all(line.cents(each) > 2_000 for each in range(month - 1, month + 3))
            and self._entry(line, month) is not None
        )

    def _always(self, line: Line, month: int) -> bool:
        return True

    def _means_nothing_else(self, line: Line, month: int, cents: int) -> bool:
        """Whether no other reading of a plain line gives an amount."""
        version, due = line.versions[0], line.cents(month)
        at = month - number_of(version.start) + 1
        amounts = [due, -due, self._bills.get((line.key, month), 0)]
        amounts += [line.reread(policy=policy).get(month, Due(0)).cents for policy in ("daily", "prorated_months")]
        amounts += [
            rounded(version.amount, at, months) - rounded(version.amount, at - 1, months)
            for months in range(max(at, 1), _LONGEST + 1)
            if months != version.months
        ]
        return all(abs(cents - each) > 1 for each in amounts)

    # --- telling --------------------------------------------------------------------------------------------------------------

    def _tell(
        self, kind: str, line: Line, month: int, cause: str, cents: int, *, cured: bool = False, view: str = "current"
    ) -> None:
        sent = self._books.closes[month].closing
        cured_at = self._books.closes[month].later if cured else None
        self.told.append(Told(kind, line, month, line.revenue_type, cause, cents, sent, view, cured_at))

    def _spoil(self, entry: Entry, changed: Entry, cured: bool) -> None:
        """Make an entry another one: in the books, or in its first extract alone."""
        if cured:
            entry.first_sent = changed
        else:
            self._books.entries[entry.line.key, entry.month] = changed

    def _wrong_cents(self, kind: str, line: Line, month: int, cents: int, cured: bool) -> bool:
        entry = self._books.entries[line.key, month]
        if abs(cents - entry.cents) <= 2 or cents == 0:
            return False
        self._tell(kind, line, month, kind, cents - entry.cents, cured=cured)
        self._spoil(entry, replace(entry, cents=cents), cured)
        self._take(line, months=(month,))
        return True

    def _add(self, line: Line, month: int, cents: int, kind: str = "adjustment", reverses: Entry | None = None) -> Entry:
        posted = self._books.closes[month].booked + timedelta(hours=9, seconds=int(self._rng.integers(0, 7_200)))
        found = Entry(line, month, cents, posted, line, line.revenue_type, kind, reverses)
        self._books.extra.append(found)
        return found

    def _remove(self, line: Line, month: int) -> Entry:
        return self._books.entries.pop((line.key, month))

    # --- faults ---------------------------------------------------------------------------------------------------------------

    def _makers(self) -> "dict[str, tuple[Callable[[Line, int, bool], bool], Callable[[Line, int], bool]]]":
        """Return for each kind how it is made, and which lines it needs; those with the fewest possible places first."""
        return {
            "recognized_as_billed": (self._as_billed, self._is_steady),
            "catch_up_missing": (self._catch_up_missing, self._always),
            "wrong_modification": (self._wrong_modification, self._always),
            "after_cancellation": (self._after_cancellation, self._always),
            "before_start": (self._before_start, self._always),
            "after_end": (self._after_end, self._always),
            "price_not_allocated": (self._price_not_allocated, self._always),
            "stale_version": (self._stale_version, self._always),
            "deal_put_right": (self._deal_put_right, self._is_steady),
            "wrong_deal": (self._wrong_deal, self._is_steady),
            "prior_months": (self._prior_months, self._is_steady),
            "duplicate_reversed": (self._duplicate_reversed, self._is_steady),
            "period_shift": (self._period_shift, self._is_steady),
            "wrong_type": (self._wrong_type, self._is_steady),
            "unmapped_entry": (self._unmapped_entry, self._is_steady),
            "wrong_duration": (self._wrong_duration, self._is_steady),
            "wrong_policy": (self._wrong_policy, self._is_steady),
            "transposed_digits": (self._transposed_digits, self._is_steady),
            "decimal_shift": (self._decimal_shift, self._is_steady),
            "wrong_sign": (self._wrong_sign, self._is_steady),
            "reversal": (self._reversal, self._is_steady),
            "reversal_unreferenced": (self._reversal_unreferenced, self._is_steady),
            "duplicate_entry": (self._duplicate_entry, self._is_steady),
            "unrecognized": (self._unrecognized, self._is_steady),
            "rounding": (self._rounding, self._is_steady),
            "late_posting": (self._late_posting, self._is_steady),
        }

    def _as_billed(self, line: Line, month: int, cured: bool) -> bool:
        """Recognize a quarter's bill at once, and nothing until the next."""
        quarter = [line.cents(month + at) for at in range(3)]
        if self._bills.get((line.key, month)) != sum(quarter) or not self._is_steady(line, month + 1):
            return False
        entry = self._books.entries[line.key, month]
        self._tell("recognized_as_billed", line, month, "recognized_as_billed", sum(quarter[1:]))
        self._spoil(entry, replace(entry, cents=sum(quarter)), cured=False)
        for at, cents in enumerate(quarter[1:], start=1):
            if month + at <= self._books.last:
                self._remove(line, month + at)
                self._tell("recognized_as_billed", line, month + at, "prior_months", -cents)
        self._take(line, months=(month, month + 2))
        return True

    def _catch_up_missing(self, line: Line, month: int, cured: bool) -> bool:
        """Recognize the month alone of a deal that was signed after its service had begun."""
        due = line.due.get(month)
        if due is None or not 0 < due.catch_up < due.cents or len(line.versions) > 1 or not self._entry(line, month):
            return False
        return self._wrong_cents("catch_up_missing", line, month, due.cents - due.catch_up, cured=False)

    def _is_amended(self, line: Line, month: int) -> bool:
        """Whether a line was changed, not ended, before a month, and owes something in it."""
        if len(line.versions) != 2 or line.versions[1].cancelled or self._entry(line, month) is None:
            return False
        second = line.versions[1]
        return month > max(number_of(second.effective or second.start), number_of(second.booked_on))

    def _wrong_modification(self, line: Line, month: int, cured: bool) -> bool:
        """Treat an amendment in another way."""
        if not self._is_amended(line, month) or line.versions[1].treatment == "retrospective":
            return False
        first, second = line.versions
        other = {"prospective": "catch_up", "catch_up": "prospective"}[second.treatment]
        found = schedule([first, replace(second, treatment=other)], line.shift).get(month, Due(0)).cents
        before = schedule([first], line.shift).get(month, Due(0)).cents
        if abs(found - before) <= 2:
            return False
        return self._wrong_cents("wrong_modification", line, month, found, cured=False)

    def _stale_version(self, line: Line, month: int, cured: bool) -> bool:
        """Go on as if an amendment had not been made, for two months if there are two."""
        if not self._is_amended(line, month):
            return False
        before = schedule(line.versions[:1], line.shift)
        for number in (month, month + 1):
            if self._entry(line, number) is None or number not in before:
                return number > month
            if not self._wrong_cents("stale_version", line, number, before[number].cents, cured=False):
                return number > month
        return True

    def _after_cancellation(self, line: Line, month: int, cured: bool) -> bool:
        """Go on after a line was cancelled."""
        last = line.versions[-1]
        if not last.cancelled or month <= max(number_of(last.effective or last.start), number_of(last.booked_on)):
            return False
        return self._beyond("after_cancellation", line, month, schedule(line.versions[:1]).get(month, Due(0)).cents)

    def _before_start(self, line: Line, month: int, cured: bool) -> bool:
        """Begin before anything is due."""
        first = line.versions[0]
        if not self._is_plain(line) or not number_of(first.booked_on) <= month < number_of(first.start):
            return False
        return self._beyond("before_start", line, month, line.cents(number_of(first.start)))

    def _after_end(self, line: Line, month: int, cured: bool) -> bool:
        """Go on after a line ended and was not renewed."""
        if not self._is_plain(line) or line.deal.is_renewed or month != max(line.due) + 1:
            return False
        return self._beyond("after_end", line, month, line.cents(month - 1))

    def _beyond(self, kind: str, line: Line, month: int, cents: int) -> bool:
        if cents < 2_000:
            return False
        self._add(line, month, cents, "recognition")
        self._tell(kind, line, month, kind, cents)
        self._take(line, months=(month,))
        return True

    def _price_not_allocated(self, line: Line, month: int, cured: bool) -> bool:
        """Recognize the stated price of a line of a bundle."""
        if not line.shift or self._entry(line, month) is None or line.due[month].catch_up:
            return False
        return self._wrong_cents(
            "price_not_allocated", line, month, schedule(line.versions).get(month, Due(0)).cents, cured=False
        )

    def _other_line(self, line: Line, month: int) -> Line | None:
        """Return a line of another deal of the customer that sells the same."""
        for other in self._of_customer[line.deal.customer.customer_id]:
            if (
                other.deal is not line.deal
                and other.key not in self._used
                and other.revenue_type == line.revenue_type
                and self._is_steady(other, month)
                and abs(other.cents(month) - line.cents(month)) > 2
            ):
                return other
        return None

    def _wrong_deal(self, line: Line, month: int, cured: bool, kind: str = "wrong_deal") -> bool:
        """Book under another deal of the customer."""
        other = self._other_line(line, month)
        if other is None:
            return False
        entry = self._books.entries[line.key, month]
        self._tell(kind, line, month, "wrong_deal", -entry.cents, cured=cured)
        self._tell(kind, other, month, "wrong_deal", entry.cents, cured=cured)
        self._spoil(entry, replace(entry, stands_at=other), cured)
        self._take(line, other, months=(month,))
        return True

    def _deal_put_right(self, line: Line, month: int, cured: bool) -> bool:
        """Book under another deal, and put it right a month later: there a reversal, here what was lacking."""
        if month >= self._books.last or not self._wrong_deal(line, month, False, "deal_put_right"):
            return False
        entry = self._books.entries[line.key, month]
        other = entry.stands_at
        if other is None:
            return False
        self._add(other, month + 1, -entry.cents, "reversal", entry)
        self._add(line, month + 1, entry.cents)
        self._tell("deal_put_right", other, month + 1, "reversal", -entry.cents)
        self._tell("deal_put_right", line, month + 1, "prior_months", entry.cents)
        self._take(line, other, months=(month + 1,))
        return True

    def _prior_months(self, line: Line, month: int, cured: bool) -> bool:
        """Forget a month, and make up for it two months later."""
        if month + 2 > self._books.last or self._entry(line, month + 2) is None:
            return False
        entry = self._remove(line, month)
        self._add(line, month + 2, entry.cents)
        self._tell("prior_months", line, month, "unrecognized", -entry.cents)
        self._tell("prior_months", line, month + 2, "prior_months", entry.cents)
        self._take(line, months=(month, month + 2))
        return True

    def _duplicate_reversed(self, line: Line, month: int, cured: bool) -> bool:
        """Book twice, and reverse it a month later."""
        if month >= self._books.last:
            return False
        cents = line.cents(month)
        second = self._add(line, month, cents, "recognition")
        self._add(line, month + 1, -cents, "reversal", second)
        self._tell("duplicate_reversed", line, month, "duplicate_entry", cents)
        self._tell("duplicate_reversed", line, month + 1, "reversal", -cents)
        self._take(line, months=(month, month + 1))
        return True

    def _period_shift(self, line: Line, month: int, cured: bool) -> bool:
        """Book into the month after, or, in the last month, into the one before."""
        other = month + 1 if month < self._books.last else month - 1
        if other < self._books.first or self._entry(line, other) is None:
            return False
        entry = self._remove(line, month)
        self._books.extra.append(replace(entry, month=other, posted_at=self._books.closes[other].booked + timedelta(hours=4)))
        self._tell("period_shift", line, month, "period_shift", -entry.cents)
        self._tell("period_shift", line, other, "period_shift", entry.cents)
        self._take(line, months=(month, other))
        return True

    def _wrong_type(self, line: Line, month: int, cured: bool) -> bool:
        """Book as another type of revenue."""
        if line.named_by == "type":
            return False
        entry = self._books.entries[line.key, month]
        other = _OTHER_TYPE[line.revenue_type]
        self._tell("wrong_type", line, month, "wrong_type", -entry.cents, cured=cured)
        self.told.append(replace(self.told[-1], revenue_type=other, cents=entry.cents))
        self._spoil(entry, replace(entry, revenue_type=other), cured)
        self._take(line, months=(month,))
        return True

    def _unmapped_entry(self, line: Line, month: int, cured: bool) -> bool:
        """Book under a reference that nobody knows, or that is mapped with a later delivery alone."""
        entry = self._books.entries[line.key, month]
        reference = f"{line.ref}-{service_months.label(month_of(month))}"
        self._tell("unmapped_entry", line, month, "unmapped_entry", -entry.cents, cured=cured)
        told = replace(self.told[-1], by_mapping=cured)
        self.told[-1:] = [told, replace(told, cents=entry.cents, has_line=False)]
        named = replace(entry, reference=reference, stands_at=line if cured else None)
        self._books.entries[line.key, month] = named
        if cured:
            self.mappings.append((self._books.closes[month].later, reference, line))
        self._take(line, months=(month,))
        return True

    def _wrong_duration(self, line: Line, month: int, cured: bool) -> bool:
        """Spread over other months than agreed."""
        version = line.versions[0]
        at = month - number_of(version.start) + 1
        for months in self._rng.permutation(_DURATIONS):
            if months in (version.months, 10 * version.months) or months < at or version.amount < 20 * months**2:
                continue
            cents = rounded(version.amount, at, int(months)) - rounded(version.amount, at - 1, int(months))
            others = (
                line.reread(policy="daily").get(month, Due(0)).cents,
                self._bills.get((line.key, month), 0),
                line.cents(month),
            )
            if all(abs(cents - each) > 2 for each in others):
                return self._wrong_cents("wrong_duration", line, month, cents, cured)
        return False

    def _wrong_policy(self, line: Line, month: int, cured: bool) -> bool:
        """Spread by days instead of in equal months."""
        return self._wrong_cents("wrong_policy", line, month, line.reread(policy="daily").get(month, Due(0)).cents, cured)

    def _transposed_digits(self, line: Line, month: int, cured: bool) -> bool:
        """Exchange two neighbouring digits."""
        digits = str(line.cents(month))
        for at in range(len(digits) - 1):
            if digits[at] == digits[at + 1] or (at == 0 and digits[1] == "0"):
                continue
            cents = int(digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :])
            if self._means_nothing_else(line, month, cents):
                return self._wrong_cents("transposed_digits", line, month, cents, cured)
        return False

    def _decimal_shift(self, line: Line, month: int, cured: bool) -> bool:
        """Put the decimal point a place to the left."""
        cents = rounded(line.cents(month), 1, 10)
        return self._wrong_cents("decimal_shift", line, month, cents, cured)

    def _wrong_sign(self, line: Line, month: int, cured: bool) -> bool:
        """Book with the other sign."""
        return self._wrong_cents("wrong_sign", line, month, -line.cents(month), cured)

    def _reversal(self, line: Line, month: int, cured: bool, kind: str = "reversal") -> bool:
        """Reverse the entry of the month before without need."""
        before = self._entry(line, month - 1)
        if before is None or month - 1 < self._books.first:
            return False
        self._add(line, month, -before.cents, "reversal", before if kind == "reversal" else None)
        self._tell(kind, line, month, kind, -before.cents)
        self._take(line, months=(month,))
        return True

    def _reversal_unreferenced(self, line: Line, month: int, cured: bool) -> bool:
        """Reverse it and say not what."""
        return self._reversal(line, month, cured, "reversal_unreferenced")

    def _duplicate_entry(self, line: Line, month: int, cured: bool) -> bool:
        """Book twice."""
        self._add(line, month, line.cents(month), "recognition")
        self._tell("duplicate_entry", line, month, "duplicate_entry", line.cents(month))
        self._take(line, months=(month,))
        return True

    def _unrecognized(self, line: Line, month: int, cured: bool) -> bool:
        """Forget a month."""
        entry = self._remove(line, month)
        self._tell("unrecognized", line, month, "unrecognized", -entry.cents)
        self._take(line, months=(month,))
        return True

    def _rounding(self, line: Line, month: int, cured: bool) -> bool:
        """Round every month by itself, and leave the rest to the last."""
        version = line.versions[0]
        each = rounded(version.amount, 1, version.months)
        last = max(line.due)
        off = []
        booked = self._entry(line, self._books.first - 1)
        so_far = booked.cents if booked else 0
        for number in range(self._books.first, min(last, self._books.last) + 1):
            entry = self._entry(line, number)
            if entry is None:
                continue
            cents = each if number < last else version.amount - so_far
            so_far += cents
            if cents != entry.cents:
                off.append((entry, cents))
        if not off:
            return False
        for entry, cents in off:
            self._tell("rounding", line, entry.month, "rounding", cents - entry.cents)
            self._spoil(entry, replace(entry, cents=cents), cured=False)
        # Its rest moves with the months: nothing else happens to the line, but to its customer it may.
        self._take(line, months=(month,))
        return True

    def _late_posting(self, line: Line, month: int, cured: bool) -> bool:
        """Post after the close."""
        entry = self._books.entries[line.key, month]
        close = self._books.closes[month]
        late = close.closing + timedelta(days=int(self._rng.integers(1, 9)), seconds=int(self._rng.integers(0, 36_000)))
        self._books.entries[line.key, month] = replace(entry, posted_at=late)
        self._tell("late_posting", line, month, "late_posting", -entry.cents, view="as_of_close")
        self.told[-1] = replace(self.told[-1], sent_at=close.later)
        self._take(line, months=(month,))
        return True

    # --- what is none ---------------------------------------------------------------------------------------------------------

    def _look_alikes(self) -> "dict[str, Callable[[int], Line | None]]":
        return {
            "reversed_and_rebooked": self._reversed_and_rebooked,
            "two_equal_entries": self._two_equal_entries,
            "catch_up_by_itself": self._catch_up_by_itself,
            "paid_at_once": self._paid_at_once,
        }

    def _first(self, month: int, fits: Callable[[Line], bool]) -> Line | None:
        for line in self._in_some_order():
            if line.key not in self._used and self._is_free(line, month) and self._entry(line, month) and fits(line):
                self._take(line, months=(month,))
                return line
        return None

    def _reversed_and_rebooked(self, month: int) -> Line | None:
        """Book twice the amount, reverse it, and book it right, all in one month."""
        line = self._first(month, lambda line: self._is_steady(line, month))
        if line is not None:
            wrong = self._add(line, month, 2 * line.cents(month), "recognition")
            self._add(line, month, -wrong.cents, "reversal", wrong)
        return line

    def _two_equal_entries(self, month: int) -> Line | None:
        """Book two halves."""
        line = self._first(month, lambda line: self._is_steady(line, month) and line.cents(month) % 2 == 0)
        if line is not None:
            entry = self._books.entries[line.key, month]
            self._books.entries[line.key, month] = replace(entry, cents=entry.cents // 2)
            self._add(line, month, entry.cents // 2, "recognition")
        return line

    def _catch_up_by_itself(self, month: int) -> Line | None:
        """Book what makes up for earlier months as an entry of its own."""
        line = self._first(month, lambda line: 0 < line.due[month].catch_up < line.cents(month) if month in line.due else False)
        if line is not None:
            entry, made_up = self._books.entries[line.key, month], line.due[month].catch_up
            self._books.entries[line.key, month] = replace(entry, cents=entry.cents - made_up)
            self._add(line, month, made_up)
        return line

    def _paid_at_once(self, month: int) -> Line | None:
        """Bill the whole term at its beginning, and recognize it month by month."""
        return self._first(
            month,
            lambda line: (
                self._is_plain(line) and line.deal.billed_every == 0 and self._bills.get((line.key, month), 0) > line.cents(month)
            ),
        )
