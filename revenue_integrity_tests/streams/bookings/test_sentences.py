"""A sentence on recognized revenue is true of its row: documents, amounts, months and lines that it names are asked again.

Belongs here: the sentences of every cause, over the faults that were worked out by hand and over random entries. Does not belong
here: which cause a row has (``test_causes``).
"""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from revenue_integrity_tests.streams.bookings import test_causes as faults
from revenue_integrity_tests.streams.bookings.test_causes import MONTHS, Books
from revenue_integrity_tests.streams.bookings.world import line

Key = tuple[str, str, str, str]
"""Deal, or customer in brackets where there is none; line, revenue type, month."""

AMOUNT = r"(-?[\d,]+\.\d\d)"
PLACE = r"[Ll]ine (\d+) of deal (\S+?)"
ENTRY = rf"[Ee]ntry (E-\d+) \({AMOUNT}\)"


def cents(text: str) -> int:
    """Return an amount in cents."""
    return int(Decimal(text.replace(",", "")) * 100)


def customer(row: Mapping[str, str]) -> str:
    """Return the customer of what has no deal, as keys have it."""
    return f"({row['customer_id']})"


@dataclass(frozen=True)
class Entry:
    """An entry as it was landed."""

    key: Key
    cents: int
    is_reversal: bool
    reverses: str


class Told:
    """What is told of books: causes, with what was due, recognized and booked of each row."""

    def __init__(self, books: Books, home: Path) -> None:
        causes, results, schedule = books.computed(
            home, "bookings_recon_causes", "bookings_recon_results", "recognition_schedule"
        )
        self.causes = [row for row in causes if row["view"] == "current"]
        self.due = {
            self.key(row): int(row["right_cents"])
            for row in results
            if row["recon"] == "recognized_vs_schedule" and row["view"] == "current"
        }
        self.schedule = {(row["deal_id"], row["line_no"], row["month"]): row for row in schedule}
        self.billed = {(row["deal_id"], row["invoice_date"][:7]): cents(row["amount"]) for row in books.billings}
        self.entries = {
            row["entry_id"]: Entry(
                (row["deal_id"] or customer(row), str(row["line_no"]), row["revenue_type"], row["period"]),
                cents(row["amount"]),
                row["entry_type"] == "reversal",
                row["reverses_entry_id"],
            )
            for row in books.entries
        }

    @staticmethod
    def key(row: Mapping[str, str]) -> Key:
        """Return the key of a row of results or causes."""
        return row["deal_id"] or customer(row), row["line_no"], row["revenue_type"], row["month"]

    def of(self, key: Key) -> list[Entry]:
        """Return the entries of a row."""
        return [each for each in self.entries.values() if each.key == key]

    def rest(self, cause: Mapping[str, str]) -> int:
        """Return what a row varied by when a cause looked at it."""
        key = self.key(cause)
        above = [
            int(each["cause_cents"])
            for each in self.causes
            if self.key(each) == key and int(each["cause_no"]) < int(cause["cause_no"])
        ]
        return sum(each.cents for each in self.of(key)) - self.due.get(key, 0) - sum(above)


@dataclass(frozen=True)
class Asked:
    """A cause with what is known of its row."""

    told: Told
    cause: Mapping[str, str]

    @property
    def key(self) -> Key:
        """The row."""
        return self.told.key(self.cause)

    @property
    def due(self) -> int:
        """What is due."""
        return self.told.due.get(self.key, 0)

    @property
    def cents(self) -> int:
        """What the cause claims."""
        return int(self.cause["cause_cents"])

    @property
    def rest(self) -> int:
        """What the row varied by when the cause looked at it."""
        return self.told.rest(self.cause)

    @property
    def booked(self) -> int:
        """What was booked as far as no cause above has claimed it."""
        return self.due + self.rest

    @property
    def near(self) -> int:
        """Cents within which amounts of the row are equal."""
        return max(1, len(self.told.of(self.key)))

    def names(self, number: str, deal: str) -> bool:
        """Return whether a line that a sentence names is that of the row."""
        return (deal, number) == self.key[:2]

    def is_near(self, one: int, other: int) -> bool:
        """Return whether two amounts are equal but for rounding."""
        return abs(one - other) <= self.near

    def is_entry(self, name: str, amount: str) -> bool:
        """Return whether an entry of this amount is known."""
        return self.told.entries[name].cents == cents(amount)

    def own(self, name: str) -> Entry:
        """Return an entry of the row."""
        found = self.told.entries[name]
        assert found.key == self.key
        return found

    def scheduled(self, name: str) -> int:
        """Return cents that the schedule of the month tells of the row's line; 0 where it has none."""
        row = self.told.schedule.get((*self.key[:2], self.key[3]))
        return int(row[name]) if row and row["revenue_type"] == self.key[2] else 0


Sentence = tuple[str, Callable[..., bool]]


def _reversal(a: Asked, name: str, amount: str, named: str) -> bool:
    own, other = a.own(name), a.told.entries[named]
    return own.is_reversal and own.cents == -cents(amount) == a.cents and own.reverses == named and other.key[:3] == a.key[:3]


def _unreferenced(a: Asked, name: str, amount: str, named: str | None) -> bool:
    own = a.own(name)
    is_of_line = named in a.told.entries and a.told.entries[str(named)].key[:3] == a.key[:3]
    return own.is_reversal and own.cents == -cents(amount) == a.cents and own.reverses == (named or "") and not is_of_line


def _duplicate(a: Asked, name: str, amount: str, first: str) -> bool:
    return name != first and a.own(name).cents == a.own(first).cents == cents(amount) == a.cents


def _unmapped(
    a: Asked, name: str, amount: str, number: str | None, deal: str | None, says: str | None, lacked: str | None
) -> bool:
    own = a.told.entries[name]
    holds = a.key[0].startswith("(") and own.cents == cents(amount) == a.cents
    if not number:
        return holds and not a.cause["link_id"]
    (end,) = (each for each in a.told.causes if each["link_id"] == a.cause["link_id"] and each["deal_id"] == deal)
    rest = a.told.rest(end)
    return holds and end["line_no"] == number and (says == "lacks", cents(str(lacked))) == (rest < 0, abs(rest))


def _lacking(a: Asked, number: str, deal: str, says: str, name: str, amount: str) -> bool:
    own = a.told.entries[name]
    has_line = own.key[1] != ""
    return (
        a.names(number, deal) and own.cents == cents(amount) == -a.cents and not has_line and ("lacks" in says) == (a.cents < 0)
    )


def _ends(a: Asked) -> tuple[Key, Key]:
    """Return the rows of a move: which lacks, and which has in excess."""
    ends = [each for each in a.told.causes if each["link_id"] == a.cause["link_id"]]
    assert len(ends) == 2
    assert sum(int(each["cause_cents"]) for each in ends) == 0
    is_lacking = ["stands_at" in json.loads(each["evidence"]) for each in ends]
    lacking, excess = ends if is_lacking[0] else reversed(ends)
    return a.told.key(lacking), a.told.key(excess)


def _deal_of_entry(a: Asked, name: str, amount: str, there: str, there_deal: str, here: str, here_deal: str) -> bool:
    lacking, excess = _ends(a)
    return a.is_entry(name, amount) and a.told.entries[name].key == excess and (
        (there_deal, there), (here_deal, here)
    ) == (excess[:2], lacking[:2])  # fmt: skip


def _deals_exchanged(a: Asked, one: str, one_deal: str, other: str, other_deal: str) -> bool:
    lacking, excess = _ends(a)
    sums = {key: sum(each.cents for each in a.told.of(key) if not each.is_reversal) for key in (lacking, excess)}
    return ((one_deal, one), (other_deal, other)) == (lacking[:2], excess[:2]) and all(sums.values())


def _type(a: Asked, name: str | None, amount: str | None, stands: str, due: str, deal: str, mixed: str | None) -> bool:
    lacking, excess = _ends(a)
    recurring = {"subscription", "support", "maintenance"}
    holds = (excess[2], lacking[2], lacking[0], excess[0]) == (stands, due, deal, deal)
    return holds and (not name or (a.is_entry(name, str(amount)) and a.told.entries[name].key == excess)) and (
        bool(mixed) == ((stands in recurring) != (due in recurring))
    )  # fmt: skip


def _shift(a: Asked, name: str | None, amount: str | None, booked: str, due: str) -> bool:
    lacking, excess = _ends(a)
    holds = (excess[3], lacking[3]) == (booked, due) and lacking[:3] == excess[:3] and a.told.due.get(lacking, 0) != 0
    return holds and (not name or (a.is_entry(name, str(amount)) and a.told.entries[name].key == excess))


def _makes_up(a: Asked, name: str, amount: str, one: str | None, left: str, way: str) -> bool:
    own = a.own(name)
    is_against = (own.cents < 0) == (way == "ahead")
    covers = own.cents.__abs__() <= cents(left) + a.near if one else a.is_near(abs(own.cents), cents(left))
    return own.cents == cents(amount) == a.cents and is_against and covers


def _open_before(a: Asked) -> int:
    before = [each for each in a.told.entries.values() if each.key[:3] == a.key[:3] and each.key[3] < a.key[3]]
    return sum(each.cents for each in before) - (a.scheduled("expected_to_date_cents") - a.scheduled("expected_cents"))


def _made_up(a: Asked, amount: str, left: str, way: str) -> bool:
    return cents(amount) == a.cents == a.rest and a.is_near(abs(a.cents), cents(left)) and (a.cents < 0) == (way == "ahead")


def _before_due(a: Asked, amount: str, left: str, way: str) -> bool:
    same_way = (way == "ahead") == (a.due > 0)
    return cents(amount) == a.due and a.rest == a.cents and cents(left) >= abs(a.due) and same_way and _open_before(a) != 0


def _early(a: Asked, amount: str, number: str, deal: str) -> bool:
    of_line = {key[3]: cents for key, cents in a.told.due.items() if key[:3] == a.key[:3] and cents}
    is_due_later = max(of_line, default="") > a.key[3] or a.scheduled("remaining_cents") != 0
    return cents(amount) == a.booked and a.names(number, deal) and is_due_later and min(of_line, default="9999") > a.key[3]


def _not_agreed(a: Asked, amount: str, number: str, deal: str) -> bool:
    row = a.told.schedule.get((*a.key[:2], a.key[3]))
    is_nothing = not row or (row["revenue_type"] == a.key[2] and a.scheduled("expected_to_date_cents") == 0)
    return cents(amount) == a.booked and a.names(number, deal) and is_nothing and a.due == 0


def _of_another_type(a: Asked, amount: str, kind: str, number: str, deal: str) -> bool:
    row = a.told.schedule[*a.key[:2], a.key[3]]
    return cents(amount) == a.booked and kind == a.key[2] != row["revenue_type"] and a.names(number, deal)


def _ended(a: Asked, amount: str, number: str, deal: str) -> bool:
    holds = cents(amount) == a.booked and a.names(number, deal) and a.due == 0
    return holds and a.scheduled("remaining_cents") == 0


def _reading(a: Asked, gives: str, number: str, deal: str, words: str, due: str) -> bool:
    return a.names(number, deal) and cents(due) == a.due and cents(gives) - a.due == a.cents and a.is_near(cents(gives), a.booked)


def _as_billed(a: Asked, billed: str, due: str) -> bool:
    return a.told.billed[a.key[0], a.key[3]] == cents(billed) and cents(due) == a.due and a.cents == cents(billed) - a.due


def _point(a: Asked, booked: str, due: str) -> bool:
    one, other = sorted((abs(a.booked), abs(a.due)))
    return (cents(booked), cents(due)) == (a.booked, a.due) and any(abs(one * f - other) * 2 <= f for f in (10, 100, 1000))


def _digits(a: Asked, booked: str, due: str) -> bool:
    one, other = str(a.booked), str(a.due)
    return (cents(booked), cents(due)) == (a.booked, a.due) and sorted(one) == sorted(other) and (
        sum(x != y for x, y in zip(one, other, strict=True)) == 2
    )  # fmt: skip


SENTENCES: dict[str, Sequence[Sentence]] = {
    "rounding": [
        (
            rf"{AMOUNT} is what rounding leaves over (\d+) entr(?:y|ies)\.",
            lambda a, x, n: cents(x) == a.cents and int(n) == a.near,
        ),
        (
            rf"Months were rounded one by one, and the last of (\d+) takes the rest of {AMOUNT}\.",
            lambda a, n, x: cents(x) == a.cents and abs(a.cents) <= int(n) and a.scheduled("remaining_cents") == 0,
        ),
        (
            rf"{AMOUNT} is what rounding leaves beside the cause named\.",
            lambda a, x: cents(x) == a.cents and int(a.cause["cause_no"]) > 1,
        ),
    ],
    "reversal": [(rf"Reversal (E-\d+) takes {AMOUNT} back and names entry (E-\d+) of this line\.", _reversal)],
    "reversal_unreferenced": [
        (
            rf"Reversal (E-\d+) takes {AMOUNT} back and names (?:no entry|entry (\S+), which is not of this line)\.",
            _unreferenced,
        )
    ],
    "unmapped_entry": [
        (rf"{ENTRY} resolves to no deal line(?:; {PLACE} (lacks|has) {AMOUNT}(?: too much)?)?\.", _unmapped),
        (rf"What {PLACE} (lacks stands in|has too much is taken off by) {ENTRY}, which has no line\.", _lacking),
    ],
    "wrong_deal": [
        (rf"{ENTRY} stands on {PLACE} and belongs to {PLACE}\.", _deal_of_entry),
        (rf"{PLACE} and {PLACE} carry each other's amounts\.", _deals_exchanged),
    ],
    "wrong_type": [
        (
            rf"(?:{ENTRY}|What .+ carries) is booked as (\w+) and is due as (\w+) of deal ([^\s;]+?)"
            r"(; recurring and one-time revenue are mixed)?\.",
            _type,
        )
    ],
    "period_shift": [(rf"(?:{ENTRY}|What \S+ carries) is booked in (\S+) and is due in (\S+)\.", _shift)],
    "prior_months": [
        (rf"{ENTRY} makes up for (one of the )?earlier months; before it they were {AMOUNT} (ahead|behind)\.", _makes_up),
        (rf"{AMOUNT} makes up for earlier months, which were {AMOUNT} (ahead|behind)\.", _made_up),
        (rf"{AMOUNT} had been recognized before it was due: earlier months were {AMOUNT} (ahead|behind)\.", _before_due),
    ],
    "duplicate_entry": [(rf"Entry (E-\d+) books {AMOUNT} once more, beside entry (E-\d+)\.", _duplicate)],
    "after_cancellation": [
        (
            rf"{AMOUNT} is recognized after {PLACE} was cancelled\.",
            lambda a, x, n, d: cents(x) == a.booked and a.names(n, d) and a.due == 0,
        )
    ],
    "catch_up_missing": [
        (
            rf"{AMOUNT} of what is due of {PLACE} makes up for earlier months; it is not recognized\.",
            lambda a, x, n, d: cents(x) == a.scheduled("catch_up_cents") == -a.cents and a.names(n, d),
        )
    ],
    "recognized_as_billed": [(rf"{AMOUNT} is what was billed in the month; {AMOUNT} is due\.", _as_billed)],
    "wrong_sign": [
        (
            rf"{AMOUNT} is due, and is booked with the other sign\.",
            lambda a, x: cents(x) == a.due and a.is_near(a.booked, -a.due),
        )
    ],
    "decimal_shift": [(rf"{AMOUNT} is {AMOUNT} with its decimal point in another place\.", _point)],
    "transposed_digits": [(rf"{AMOUNT} is {AMOUNT} with two neighbouring digits exchanged\.", _digits)],
    "before_start": [
        (rf"{AMOUNT} is recognized before anything of {PLACE} is due\.", _early),
        (rf"{AMOUNT} is recognized, and as agreed up to this month nothing of {PLACE} is due\.", _not_agreed),
        (rf"{AMOUNT} is recognized as (\w+), which {PLACE} is not in this month\.", _of_another_type),
    ],
    "after_end": [(rf"{AMOUNT} is recognized after the last month in which {PLACE} owes anything\.", _ended)],
    "unrecognized": [
        (
            rf"{AMOUNT} of {PLACE} is due and not recognized\.",
            lambda a, x, n, d: cents(x) == a.due and a.cents == a.rest and a.names(n, d),
        )
    ],
    "unexplained": [(rf"No rule explains {AMOUNT}\.", lambda a, x: cents(x) == a.cents == a.rest)],
    **{
        name: [(rf"{AMOUNT} is what {PLACE} gives (.+); {AMOUNT} is due\.", _reading)]
        for name in ("stale_version", "wrong_modification", "price_not_allocated", "wrong_policy", "wrong_duration")
    },
}
"""For each cause the sentences that it may say, and whether one holds for its row."""


def untrue(books: Books) -> list[str]:
    """Return the sentences that do not hold, with their rows."""
    with TemporaryDirectory() as home:
        told = Told(books, Path(home))
    assert told.causes
    found = []
    for cause in told.causes:
        known = [(re.fullmatch(pattern, cause["explanation"]), holds) for pattern, holds in SENTENCES[cause["cause"]]]
        if not any(match and holds(Asked(told, cause), *match.groups()) for match, holds in known):
            found.append(f"{told.key(cause)} {cause['cause']} {cause['cause_cents']}: {cause['explanation']}")
    return found


def test_every_sentence_holds_of_the_faults_that_were_worked_out_by_hand() -> None:
    books = Books()
    for fault in (faults.amounts, faults.missing_and_twice, faults.moves, faults.cures, faults.terms, faults.outside):
        fault(books)
    assert untrue(books) == []


def drawn(seed: int, customers: int) -> Books:
    """Return random books: lines of some customers with months left out, and entries that fit some of them, or none."""
    chance, books = random.Random(seed), Books()
    for number in range(customers):
        deals = [f"D-{number}{letter}" for letter in "AB"]
        missing: list[tuple[str, str, str]] = []
        for deal in deals:
            each = chance.choice(["100.00", "100.00", "70.00", "123.00"])
            out = chance.sample(MONTHS, chance.randrange(3))
            books.deal(deal, of=f"C-{number}", each=each, but=out, amount=str(Decimal(each) * 12))
            missing += [(deal, month, each) for month in out]
            if chance.random() < 0.2:
                terms = {"customer_id": f"C-{number}", "version": 2, "booked_on": "2025-02-20", "effective_from": "2025-03-01"}
                change = chance.choice(
                    [{"change": "expansion", "amount": "2200.00"}, {"change": "cancellation", "status": "cancelled"}]
                )
                books.lines.append(line(deal) | terms | change)
        for deal, month, each in missing:
            amount = chance.choice([each, each, "0.01", f"-{each}", "1000.00", str(Decimal(each) + Decimal("0.01"))])
            place = chance.randrange(6)
            if place == 0:
                books.book(chance.choice(deals), month, amount)
            elif place == 1:
                books.book(deal, chance.choice(MONTHS), amount)
            elif place == 2:
                books.book(deal, month, amount, revenue_type=chance.choice(["setup", "support"]))
            elif place == 3:
                books.book("", month, amount, line_no="", customer_id=chance.choice([f"C-{number}", ""]))
            elif place == 4:
                books.book(deal, month, amount)
        for _ in range(chance.randrange(3)):
            deal, month = chance.choice(deals), chance.choice(MONTHS)
            named = chance.choice(["", *(str(row["entry_id"]) for row in books.entries[-14:])])
            if chance.random() < 0.5:
                books.back(deal, month, chance.choice(["-100.00", "-70.00", "-150.00"]), named)
            else:
                books.book(deal, month, chance.choice(["100.00", "70.00", "200.00", "33.00"]))
    return books


@profile(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_every_sentence_holds_of_random_books(seed: int) -> None:
    assert untrue(drawn(seed, customers=25)) == []
