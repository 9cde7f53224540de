"""Who bought what: customers, their deals one after another, lines with versions and milestones, and how accounting names them.

Belongs here: master data and its history. Does not belong here: what is due of it (``due``), money that
moves (``booking``), files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from dateutil.relativedelta import relativedelta
from faker import Faker

from revenue_integrity.streams.bookings.simulate.due import (
    SHARE_UNIT,
    Due,
    Milestone,
    Schedule,
    Version,
    allocated_shifts,
    number_of,
    schedule,
)

Random = np.random.Generator

SEGMENTS = (("Enterprise", 4.0, 0.2), ("Mid-market", 1.4, 0.35), ("Small business", 0.5, 0.45))
"""Segments with their level of prices and their share of customers."""

COUNTRIES = (("US", 0.6), ("GB", 0.12), ("DE", 0.12), ("CA", 0.1), ("JP", 0.06))

KINDS = (("plain", 0.42), ("by_days", 0.10), ("prorated", 0.06), ("bundle", 0.16), ("project", 0.10), ("amended", 0.16))
"""Kinds of deals with their shares."""

_BACKDATED = 0.14
_RENEWS = 0.85


@dataclass(frozen=True)
class Customer:
    """Somebody who buys: ``known_on`` is when the CRM first sends the row."""

    customer_id: str
    name: str
    segment: str
    country: str
    known_on: date


@dataclass
class Line:
    """A line of a deal.

    Attributes:
        deal: the deal.
        line_no: its number.
        revenue_type: what it sells.
        product: its name.
        versions: as agreed, in order.
        standalone: what it sells for by itself, in cents; 0 for nothing said.
        milestones: of a milestone line.
        shift: what allocation adds to its price.
        named_by: how accounting names it: ``ref``, ``line`` (deal and line), ``type`` (deal and type).
        due: what each month owes.
    """

    deal: "Deal"
    line_no: int
    revenue_type: str
    product: str
    versions: list[Version]
    standalone: int = 0
    milestones: tuple[Milestone, ...] = ()
    shift: int = 0
    named_by: str = "ref"
    due: Schedule = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """What names the line."""
        return (self.deal.deal_id, self.line_no)

    @property
    def ref(self) -> str:
        """The line as accounting names it."""
        return f"ARR-{self.deal.deal_id[2:]}-{self.line_no}"

    def cents(self, month: int) -> int:
        """Return what a month owes."""
        return self.due.get(month, Due(0)).cents

    def reread(self, **changes: Any) -> Schedule:
        """Return what months would owe if every version were read with some changes."""
        return schedule([replace(each, **changes) for each in self.versions], self.shift, self.milestones)


@dataclass
class Deal:
    """A deal: its customer, its lines, how many months a bill covers (0: everything at the beginning)."""

    deal_id: str
    customer: Customer
    kind: str
    billed_every: int
    is_renewal: bool = False
    is_renewed: bool = False
    lines: list[Line] = field(default_factory=list)

    @property
    def booked_on(self) -> date:
        """The day on which it was signed."""
        return min(line.versions[0].booked_on for line in self.lines)


@dataclass
class World:
    """Customers and deals in order of their ids."""

    customers: list[Customer]
    deals: list[Deal]

    @property
    def lines(self) -> list[Line]:
        """All lines."""
        return [line for deal in self.deals for line in deal.lines]


def build_world(months: Sequence[date], deals: int, seed: int) -> World:
    """Return a world with so many deals in force at a time, from before the first month to the last."""
    rng = np.random.default_rng([seed, 301])
    faker = Faker("en_US")
    faker.seed_instance(seed)
    first = months[0]
    early = first - timedelta(days=10)
    count = max(round(deals / 2.2), 1)
    names, shares = [each[0] for each in SEGMENTS], [each[2] for each in SEGMENTS]
    customers = [
        Customer(
            f"SC-{number + 1:05d}",
            faker.unique.company() if number < 2_000 else f"{faker.company()} {number}",
            str(rng.choice(names, p=shares)),
            str(rng.choice([each[0] for each in COUNTRIES], p=[each[1] for each in COUNTRIES])),
            early,
        )
        for number in range(count)
    ]
    found = World(customers, [])
    stop = number_of(months[-1])
    for seat in range(deals):
        customer = customers[seat % count]
        start = first - relativedelta(months=int(rng.integers(0, 24)))
        renews = False
        while number_of(start) <= stop + 2:
            deal, ends = _sign(found, customer, start, rng, renews)
            # What ended long ago is nobody's business here.
            if number_of(ends) >= number_of(first) - 1 and number_of(deal.booked_on) <= stop:
                found.deals.append(deal)
            renews = bool(rng.random() < _RENEWS)
            deal.is_renewed = renews
            start = (ends + timedelta(days=1)).replace(day=1)
            if start <= ends:
                start += relativedelta(months=1)
            if not renews:
                start += relativedelta(months=int(rng.integers(3, 6)))
    found.deals.sort(key=lambda deal: (deal.booked_on, deal.deal_id))
    for number, deal in enumerate(found.deals):
        deal.deal_id = f"D-{number + 1:06d}"
    return found


def _sign(world: World, customer: Customer, start: date, rng: Random, renews: bool) -> tuple[Deal, date]:
    """Return a deal that starts in a month, and the last day of its longest line."""
    kind = str(rng.choice([name for name, _ in KINDS], p=[share for _, share in KINDS]))
    level = next(each[1] for each in SEGMENTS if each[0] == customer.segment)
    monthly = max(int(rng.lognormal(np.log(500 * level), 0.9)), 45) * 100
    months = int(rng.choice([12, 12, 12, 24, 6])) if kind != "amended" else int(rng.choice([12, 24]))
    # The id is given once all deals are known, in order of their signing.
    deal = Deal(f"{len(world.deals):09d}{customer.customer_id}", customer, kind, int(rng.choice([0, 0, 1, 3])), renews)
    begin = start if kind not in ("by_days", "prorated") else start.replace(day=int(rng.integers(2, 28)))
    if kind in ("plain", "amended") and rng.random() < _BACKDATED:
        booked = (begin + relativedelta(months=int(rng.integers(1, 3)))).replace(day=int(rng.integers(3, 26)))
    else:
        booked = begin - timedelta(days=int(rng.integers(4, 50)))
    policy = {"by_days": "daily", "prorated": "prorated_months"}.get(kind, "equal_months")
    kinds = {"by_days": "support", "prorated": "maintenance"}
    revenue_type = kinds.get(kind, "subscription")
    end = begin + relativedelta(months=months) - timedelta(days=1)
    change = "renewal" if renews else "new"
    # A price of whole dollars for the whole term: its months do not divide evenly.
    amount = monthly * months + int(rng.integers(0, 40)) * 100
    version = Version(1, amount, booked, begin, end, months, policy, change=change)
    line = Line(deal, 1, revenue_type, f"{revenue_type.capitalize()} plan", [version])
    deal.lines.append(line)
    if kind == "bundle":
        _add_bundle(deal, line, rng)
    elif kind == "project":
        _add_project(deal, line, rng)
    elif kind == "amended":
        _amend(line, rng)
    single = len(deal.lines) == 1
    for each in deal.lines:
        each.named_by = str(rng.choice(["ref", "line", "type"], p=[0.8, 0.12, 0.08] if single else [0.85, 0.15, 0.0]))
        each.due = schedule(each.versions, each.shift, each.milestones)
    return deal, max(each.versions[0].end for each in deal.lines)


def _add_bundle(deal: Deal, line: Line, rng: Random) -> None:
    """Add a setup sold together with a subscription at a price for both."""
    first = line.versions[0]
    price = max(first.amount // 1_000 * int(rng.integers(8, 20)) // 100 * 100, 20_000)
    setup = Version(1, price, first.booked_on, first.start, first.start, 1, "point_in_time", change=first.change)
    line.standalone = first.amount // 100 * int(rng.integers(101, 125)) // 100 * 100
    added = Line(deal, 2, "setup", "Setup", [setup], standalone=price // 100 * int(rng.integers(130, 190)) // 100 * 100)
    deal.lines.append(added)
    shifts = allocated_shifts(
        {each.line_no: each.versions[0].amount for each in deal.lines}, {each.line_no: each.standalone for each in deal.lines}
    )
    for each in deal.lines:
        each.shift = shifts[each.line_no]


def _add_project(deal: Deal, line: Line, rng: Random) -> None:
    """Add an implementation with milestones, or consulting by days, beside a subscription."""
    first = line.versions[0]
    price = first.amount // 1_000 * int(rng.integers(15, 45)) // 100 * 100 + 50_000
    months = int(rng.integers(3, 7))
    end = first.start + relativedelta(months=months) - timedelta(days=1)
    if rng.random() < 0.35:
        days = Version(1, price, first.booked_on, first.start, end, months, "daily", change=first.change)
        deal.lines.append(Line(deal, 2, "consulting", "Consulting", [days]))
        return
    shares = (300_000, 450_000, SHARE_UNIT - 750_000)
    done = [first.start + relativedelta(months=1 + at, days=int(rng.integers(0, 27))) for at in range(3)]
    milestones = tuple(Milestone(at + 1, share, day) for at, (share, day) in enumerate(zip(shares, done, strict=True)))
    whole = Version(1, price, first.booked_on, first.start, end, months, "milestone", change=first.change)
    deal.lines.append(Line(deal, 2, "implementation", "Implementation", [whole], milestones=milestones))


def _amend(line: Line, rng: Random) -> None:
    """Change a line during its term: more, less, longer, caught up, corrected, or ended."""
    first = line.versions[0]
    if first.booked_on > first.start:
        return
    kind = str(rng.choice(["expansion", "downsell", "catch_up", "correction", "extension", "cancellation"]))
    at = first.start + relativedelta(months=int(rng.integers(3, min(first.months - 1, 10))))
    if rng.random() < 0.25:
        at = at.replace(day=15)
    booked = at - timedelta(days=int(rng.integers(1, 15)))
    if rng.random() < 0.15:
        booked = at + timedelta(days=int(rng.integers(5, 40)))
    step = first.amount // 1_000 * int(rng.integers(80, 300)) // 100 * 100
    if kind == "correction":
        # Before anything of it was booked.
        month_end = first.start + relativedelta(day=31)
        fixed = replace(
            first, number=2, amount=first.amount + step, booked_on=month_end - timedelta(days=int(rng.integers(0, 9)))
        )
        line.versions.append(replace(fixed, treatment="retrospective", change="correction"))
        return
    changed = replace(first, number=2, booked_on=booked, effective=at, treatment="prospective", change=kind)
    if kind == "expansion":
        changed = replace(changed, amount=first.amount + step)
    elif kind == "downsell":
        changed = replace(changed, amount=first.amount - step)
    elif kind == "catch_up":
        changed = replace(changed, amount=first.amount + step, treatment="catch_up", change="expansion")
    elif kind == "extension":
        months = first.months + 6
        longer = first.start + relativedelta(months=months) - timedelta(days=1)
        changed = replace(changed, amount=first.amount * months // first.months // 100 * 100, end=longer, months=months)
    else:
        changed = replace(changed, treatment="", cancelled=True)
    line.versions.append(changed)
