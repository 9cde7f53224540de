"""What a shop sells to whom: customers with their news, products, sales with exact amounts.

Belongs here: what truly happened. Does not belong here: how systems write it down (``files``), what accounting and the payment
processor make of it (``books``), what goes wrong (``faults``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from faker import Faker

Random = np.random.Generator

REGIONS = (("North", 80_000), ("South", 62_500), ("East", 40_000), ("West", 72_500))
"""Regions with their tax in millionths."""

CITIES = {
    "North": ("Ashford", "Kelso"),
    "South": ("Bramley", "Port Ida"),
    "East": ("Calder", "Marsh End"),
    "West": ("Dunmore", "Larkhall"),
}

CATEGORIES = (("Electronics", 180), ("Home", 60), ("Office", 25), ("Toys", 18), ("Grocery", 6))
"""Categories with their usual price."""

NEVER_SOLD = "Gift cards"
"""A category that the ledger knows and the shop does not sell."""

TIERS = ("Bronze", "Silver", "Gold")

DISCOUNTS = (0, 0, 0, 0, 0, 50_000, 75_000, 100_000, 150_000, 250_000)
"""Discounts in millionths, as often as they are given."""

_UNKNOWN_REGION = 0.02
_TAX_FREE = "Grocery"
_PAYMENTS = ("card", "cash", "wallet", "")
_PAYMENT_SHARES = (0.55, 0.25, 0.15, 0.05)


def half_away(numerator: int, denominator: int) -> int:
    """Return a fraction rounded to a whole number, half away from zero."""
    whole = (abs(numerator) * 2 + denominator) // (2 * denominator)
    return -whole if numerator < 0 else whole


def month_of(number: int) -> date:
    """Return the first day of the month with a number (12 a year)."""
    return date(number // 12, number % 12 + 1, 1)


def number_of(day: date) -> int:
    """Return the number of a day's month."""
    return day.year * 12 + day.month - 1


def starts(month: int) -> datetime:
    """Return the first instant of a month."""
    first = month_of(month)
    return datetime(first.year, first.month, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Product:
    """What is sold: without ``product_id`` it goes by its name alone. ``price`` counts ten-thousandths."""

    product_id: str
    name: str
    category: str
    price: int


@dataclass
class Customer:
    """Somebody who buys, with what is told of them: ``known_on`` is when the shop first sends the row."""

    customer_id: str
    name: str
    region: str
    city: str
    tier: str
    points: int
    joined: date
    known_in: int


@dataclass(frozen=True)
class News:
    """What changed of a customer."""

    customer_id: str
    at: datetime
    told: dict[str, Any]


@dataclass(slots=True)
class Item:
    """A line: ``quantity`` counts thousandths, ``price`` ten-thousandths, ``discount`` millionths, ``tax`` cents."""

    line_no: int
    product: Product
    quantity: int
    price: int
    discount: int
    tax: int = 0

    @property
    def exact(self) -> int:
        """The total in 10**-11 cents, before it is rounded."""
        return self.quantity * self.price * (1_000_000 - self.discount)

    @property
    def total(self) -> int:
        """What it is sold for, in cents."""
        return half_away(self.exact, 10**11)

    @property
    def gross(self) -> int:
        """Price times quantity, in cents."""
        return half_away(self.quantity * self.price, 10**5)


@dataclass(slots=True)
class Sale:
    """A transaction.

    Attributes:
        transaction_id: its name.
        customer_id: who bought.
        region: where; empty for nobody knows.
        at: when, in UTC.
        items: its lines.
        payment: how it was paid; empty for not told.
        shape: who writes it down: ``till``, ``web``, ``app``.
        dice: decides how it is written.
        tax_of_basket: whether the tax stands at the whole.
        spoilt: why the row that says it is refused; empty for it is not.
        cured: whether it was sent again as it should be.
        notation: how its date must be written, if that matters.
    """

    transaction_id: str
    customer_id: str
    region: str
    at: datetime
    items: list[Item]
    payment: str
    shape: str
    dice: int
    tax_of_basket: bool = False
    spoilt: str = ""
    cured: bool = False
    notation: str = ""
    shouts: bool = False
    taken_out: bool = False

    @property
    def month(self) -> int:
        """The number of its month."""
        return self.at.year * 12 + self.at.month - 1

    @property
    def total(self) -> int:
        """What it is sold for, in cents."""
        return sum(item.total for item in self.items)

    @property
    def discount(self) -> int:
        """What was taken off, in cents."""
        return sum(item.gross - item.total for item in self.items)

    @property
    def due(self) -> int:
        """What the processor owes of it: nothing of what was paid in cash."""
        return 0 if self.payment == "cash" else self.total + sum(item.tax for item in self.items)


@dataclass
class Shop:
    """All that happened: sales by month, each in the order of their ids."""

    first: int
    last: int
    products: list[Product]
    customers: list[Customer]
    news: list[News] = field(default_factory=list)
    sales: dict[int, list[Sale]] = field(default_factory=dict)

    @property
    def months(self) -> range:
        """The numbers of the months."""
        return range(self.first, self.last + 1)


def build_shop(months: Sequence[date], transactions: int, seed: int) -> Shop:
    """Return a shop with so many sales a month."""
    rng = np.random.default_rng([seed, 501])
    faker = Faker("en_US")
    faker.seed_instance(seed)
    first, last = number_of(months[0]), number_of(months[-1])
    shop = Shop(first, last, _products(rng), [])
    for month in shop.months:
        _join(shop, month, max(transactions // (4 if month == first else 60), 1), faker, rng)
        _tell_news(shop, month, rng)
        shop.sales[month] = _sell(shop, month, transactions, rng)
    return shop


def _products(rng: Random) -> list[Product]:
    found = []
    for category, price in CATEGORIES:
        for number in range(8):
            # A price of three places now and then: its products need rounding.
            places = 10 if number == 5 else 100
            cost = max(int(rng.lognormal(np.log(price), 0.7) * 10_000) // places * places, 5_000)
            name = f"{category} {chr(ord('A') + number)}{int(rng.integers(10, 99))}"
            found.append(Product("" if number == 7 else f"P-{category[:2].upper()}{number + 1:02d}", name, category, cost))
    return found


def _join(shop: Shop, month: int, count: int, faker: Faker, rng: Random) -> None:
    for _ in range(count):
        # The first four live in the four regions: nobody writes their names before them.
        number = len(shop.customers)
        region = REGIONS[number % 4 if number < 4 else int(rng.integers(0, 4))][0]
        joined = month_of(month) - timedelta(days=int(rng.integers(0, 700) if month == shop.first else 1))
        shop.customers.append(
            Customer(
                f"C-{number + 1:06d}",
                f"{faker.first_name()} {faker.last_name()}",
                region,
                str(rng.choice(CITIES[region])),
                TIERS[int(rng.integers(0, 3))],
                int(rng.integers(0, 4_000)),
                joined,
                month,
            )
        )


def _tell_news(shop: Shop, month: int, rng: Random) -> None:
    """Let some of those who are known move, rise or gather points."""
    known = [each for each in shop.customers if each.known_in < month]
    for place in sorted(rng.choice(len(known), len(known) // 12, replace=False).tolist()) if known else ():
        each = known[place]
        at = starts(month) + timedelta(seconds=int(rng.integers(0, 27 * 86_400)))
        kind = int(rng.integers(0, 3))
        told: dict[str, Any] = {"loyalty_points": int(rng.integers(0, 6_000))}
        if kind == 1:
            region = REGIONS[int(rng.integers(0, 4))][0]
            told = {"region": region, "city": str(rng.choice(CITIES[region]))}
        elif kind == 2:
            told["loyalty_tier"] = TIERS[int(rng.integers(0, 3))]
        shop.news.append(News(each.customer_id, at, told))


def _sell(shop: Shop, month: int, count: int, rng: Random) -> list[Sale]:
    seconds = int((starts(month + 1) - starts(month)).total_seconds())
    at = np.sort(rng.integers(0, seconds, count)).tolist()
    who = rng.integers(0, len(shop.customers), count).tolist()
    where = rng.integers(0, len(REGIONS), count).tolist()
    nowhere = (rng.random(count) < _UNKNOWN_REGION).tolist()
    paid = rng.choice(len(_PAYMENTS), count, p=_PAYMENT_SHARES).tolist()
    shapes = rng.choice(3, count, p=(0.35, 0.4, 0.25)).tolist()
    sizes = rng.choice((1, 2, 3, 4), count, p=(0.5, 0.25, 0.15, 0.1)).tolist()
    dice = rng.integers(0, 2**31, count).tolist()
    label = f"{month_of(month):%y%m}"
    found = []
    for number in range(count):
        name, tax = REGIONS[where[number]]
        shape = ("till", "web", "app")[shapes[number]]
        size = 1 if shape == "app" else sizes[number]
        items = [_item(line + 1, shop, rng, tax) for line in range(size)]
        found.append(
            Sale(
                f"T-{label}-{number + 1:06d}",
                shop.customers[who[number]].customer_id,
                "" if nowhere[number] else name,
                starts(month) + timedelta(seconds=at[number]),
                items,
                _PAYMENTS[paid[number]],
                shape,
                dice[number],
                tax_of_basket=shape == "web" and dice[number] % 3 == 0,
            )
        )
        if found[-1].tax_of_basket:
            split_tax(found[-1])
    return found


def _item(line_no: int, shop: Shop, rng: Random, tax: int) -> Item:
    choice, off, count = rng.integers(0, (len(shop.products), len(DISCOUNTS), 4)).tolist()
    product = shop.products[choice]
    quantity = (375, 1_000, 1_250, 2_000)[count] if product.category == _TAX_FREE else (1_000, 1_000, 2_000, 3_000)[count]
    item = Item(line_no, product, quantity, product.price, DISCOUNTS[off])
    item.tax = 0 if product.category == _TAX_FREE else half_away(item.total * tax, 1_000_000)
    return item


def split_tax(sale: Sale) -> None:
    """Give each line its share of the tax of the whole: by its total, the largest remainders first."""
    tax, total = sum(item.tax for item in sale.items), sum(abs(item.total) for item in sale.items)
    if not total:
        return
    parts = [divmod(tax * abs(item.total), total) for item in sale.items]
    left = tax - sum(whole for whole, _ in parts)
    by_rest = sorted(range(len(parts)), key=lambda each: (-parts[each][1], each))
    for place, (whole, _) in enumerate(parts):
        sale.items[place].tax = whole + (1 if place in by_rest[:left] else 0)


Cell = tuple[int, str, str]
"""Month, region and category; an empty region is unknown."""


def cells(sales: Sequence[Sale]) -> "dict[Cell, Counter[str]]":
    """Return what the lines of sales come to by cell: ``total``, ``gross``, ``tax``, ``exact``."""
    found: dict[Cell, Counter[str]] = {}
    for sale in sales:
        for item in sale.items:
            of_cell = found.setdefault((sale.month, sale.region, item.product.category), Counter())
            of_cell.update({"total": item.total, "gross": item.gross, "tax": item.tax, "exact": item.exact})
    return found
