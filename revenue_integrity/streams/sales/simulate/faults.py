"""What goes wrong, and what only looks as if it did: each planted in a place of its own and told.

Belongs here: choosing places, changing sales and books there, telling what must be found. Does not belong here: files.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np

from revenue_integrity.streams.sales.simulate.books import Books, Line, Payment, charge_of
from revenue_integrity.streams.sales.simulate.plan import CURED_KINDS, KINDS, LOOK_ALIKE_KINDS, QUARANTINED, USUAL_KINDS, Plan
from revenue_integrity.streams.sales.simulate.shop import NEVER_SOLD, REGIONS, Cell, Item, Sale, Shop, cells, starts
from revenue_integrity.streams.sales.simulate.spoiling import IN_BASKETS, JUNK, REAL, RETURNED

Choice = TypeVar("Choice")

LEDGER, SETTLEMENTS, SENT = "sales_vs_ledger", "sales_vs_settlements", "loaded_vs_sent"

CURRENT, AS_OF_CLOSE = "current", "as_of_close"

MISSPELT = {"North": "Nroth", "South": "Souht", "East": "Eats", "West": "Wets"}

_SMALLEST = 500
"""Cents below which a part of a cell is not worth moving."""


@dataclass(frozen=True)
class Told:
    """A cause that must be found: ``sent_at`` is when its first extract came, ``cured_at`` when one without it did."""

    kind: str
    recon: str
    month: int
    cause: str
    cents: int
    sent_at: datetime
    source: str
    cell: Cell | None = None
    transaction_id: str = ""
    view: str = CURRENT
    cured_at: datetime | None = None


@dataclass(frozen=True)
class LookAlike:
    """What must have no cause: a cell of the ledger, or a transaction."""

    kind: str
    month: int
    cell: Cell | None = None
    transaction_id: str = ""


class Planter:
    """Plants faults and look-alikes, each where nothing else is wrong."""

    def __init__(self, shop: Shop, books: Books, plan: Plan, seed: int) -> None:
        """Take what happened and was booked; both are changed."""
        self.shop, self.books, self.plan = shop, books, plan
        self.rng = np.random.default_rng([seed, 502])
        self.told: list[Told] = []
        self.look_alikes: list[LookAlike] = []
        self.junk: list[tuple[str, Sale]] = []
        self.deleted: list[Sale] = []
        self.again: list[Sale] = []
        self.before: list[Sale] = []
        self.planted = 0
        self.amounts = {cell: total for month in shop.months for cell, total in cells(shop.sales[month]).items()}
        self._cells_taken: dict[Cell, str] = {}
        self._sales_taken: set[str] = set()
        self._documents = 0
        self._bad = int(self.rng.integers(0, 100))

    def plan_all(self) -> None:
        """Plant everything that the plan asks for."""
        recent = range(max(self.shop.last - self.plan.recent_months + 1, self.shop.first), self.shop.last + 1)
        earlier = range(self.shop.first, recent.start)
        for kind in KINDS:
            for month in recent:
                self._several(self.plan.open.get(kind, 0), kind, month, cured=False)
            for month in earlier:
                if kind in USUAL_KINDS:
                    self._several(self.plan.usual.get(kind, 0), kind, month, cured=False)
                if kind in CURED_KINDS:
                    self._several(self.plan.cured.get(kind, 0), kind, month, cured=True)
        for month in self.shop.months:
            for kind in LOOK_ALIKE_KINDS:
                for _ in range(self._count(self.plan.look_alikes.get(kind, 0))):
                    self._look_alike(kind, month)
            for _ in range(self._count(self.plan.unknown_customers)):
                sale = self._free_sale(month, lambda sale: not sale.spoilt)
                if sale is not None:
                    sale.customer_id = f"C-9{sale.dice % 100_000:05d}"
        for month in recent:
            for _ in range(self._count(self.plan.bad_rows)):
                self._junk(month)
        self._tell_refused()

    def _count(self, rate: float) -> int:
        return int(rate) + int(self.rng.random() < rate % 1)

    def _several(self, rate: float, kind: str, month: int, *, cured: bool) -> None:
        for _ in range(self._count(rate) if not (cured and month == self.shop.last) else 0):
            plant: Callable[[str, int, bool], bool] = getattr(self, f"_{kind}", self._generic)
            self.planted += bool(plant(kind, month, cured))

    def _generic(self, kind: str, month: int, cured: bool) -> bool:
        return self._of_cell(kind, month, cured) if kind in _CELL_KINDS else self._of_sale(kind, month, cured)

    # Places -------------------------------------------------------------------------------------------------------------

    def _free_cell(self, month: int, fits: Callable[[Counter[str]], bool] = lambda amounts: True) -> Cell | None:
        found = [
            cell
            for cell in sorted(self.amounts)
            if cell[0] == month and cell[1] and cell not in self._cells_taken and fits(self.amounts[cell])
        ]
        return self._one(found)

    def _free_sale(self, month: int, fits: Callable[[Sale], bool]) -> Sale | None:
        """Return a sale of the month that nothing happened to, and take it: from a random one on the first that fits."""
        sales = self.shop.sales[month]
        start = int(self.rng.integers(0, len(sales)))
        for place in range(len(sales)):
            sale = sales[(start + place) % len(sales)]
            if sale.transaction_id not in self._sales_taken and fits(sale):
                self._sales_taken.add(sale.transaction_id)
                return sale
        return None

    def _one(self, found: Sequence[Choice]) -> Choice | None:
        return found[int(self.rng.integers(0, len(found)))] if found else None

    def _part(self, cents: int) -> int:
        return int(cents * (0.1 + 0.5 * self.rng.random()))

    def _take(self, kind: str, *taken: Cell) -> None:
        self._cells_taken.update(dict.fromkeys(taken, kind))

    def _add(self, cell: Cell, cents: int, **changes: object) -> Line:
        """Book something in a document of its own."""
        self._documents += 1
        close = self.books.closes[cell[0]]
        line = Line(f"JX-{self._documents:06d}", 1, cell, cents, close.booked + timedelta(hours=1), close.closing)
        self.books.lines.setdefault(cell, []).append(replace(line, **changes))  # type: ignore[arg-type]  # what differs has the types of the line
        return self.books.lines[cell][-1]

    def _tell(
        self, kind: str, cell: Cell, cause: str, cents: int, sent_at: datetime, cured_at: datetime | None, **more: str
    ) -> None:
        self.told.append(Told(kind, LEDGER, cell[0], cause, cents, sent_at, "ledger", cell, cured_at=cured_at, **more))

    # The ledger ---------------------------------------------------------------------------------------------------------

    def _of_cell(self, kind: str, month: int, cured: bool) -> bool:
        """Book a cell otherwise than it was sold, in its only line."""
        booked = _CELL_KINDS[kind]
        cell = self._free_cell(month, lambda amounts: booked(amounts) not in (None, amounts["total"]))
        if cell is None:
            return False
        self._take(kind, cell)
        amounts, (line,), close = self.amounts[cell], self.books.lines[cell], self.books.closes[month]
        wrong = booked(amounts)
        assert wrong is not None
        if cured:
            line.first, line.put_right_at = {"cents": wrong}, close.later
        else:
            line.cents = wrong
        cause = {"mistyped": "unexplained"}.get(kind, kind)
        self._tell(kind, cell, cause, wrong - amounts["total"], close.closing, line.put_right_at)
        return True

    def _unbooked(self, kind: str, month: int, cured: bool) -> bool:
        cell = self._free_cell(month, lambda amounts: amounts["total"] > 1)
        if cell is None:
            return False
        self._take(kind, cell)
        close = self.books.closes[month]
        if cured:
            # It was posted in time, and the closing extract did not have it.
            self.books.lines[cell][0].sent_at = close.later
        else:
            del self.books.lines[cell]
        self._tell(kind, cell, kind, -self.amounts[cell]["total"], close.closing, close.later if cured else None)
        return True

    def _unsupported(self, kind: str, month: int, cured: bool) -> bool:
        places = [(month, region, NEVER_SOLD) for region, _ in REGIONS]
        cell = self._one([each for each in places if each not in self._cells_taken])
        if cell is None:
            return False
        self._take(kind, cell)
        line = self._add(cell, int(self.rng.integers(2_000, 90_000)))
        self._tell(kind, cell, kind, line.cents, line.sent_at, None)
        return True

    def _moved(self, kind: str, source: Cell, target: Cell, cured: bool) -> bool:
        """Book a part of a cell in another one."""
        self._take(kind, source, target)
        part = self._part(self.amounts[source]["total"])
        self.books.lines[source][0].cents -= part
        close = self.books.closes[source[0]]
        if cured:
            line = self._add(source, part, first={"cell": target}, put_right_at=close.later)
        else:
            line = self._add(target, part, posted_at=close.booked + timedelta(hours=1))
        for cell, cents in ((source, -part), (target, part)):
            self._tell(kind, cell, kind, cents, line.sent_at, line.put_right_at)
        return True

    def _period_shift(self, kind: str, month: int, cured: bool) -> bool:
        if month == self.shop.last:
            return False
        found = [
            cell
            for cell in sorted(self.amounts)
            if cell[0] == month
            and cell[1]
            and self.amounts[cell]["total"] > _SMALLEST * 4
            and {cell, (month + 1, *cell[1:])} <= self.amounts.keys() - self._cells_taken.keys()
        ]
        source = self._one(found)
        return source is not None and self._moved(kind, source, (month + 1, *source[1:]), cured)

    def _wrong_region(self, kind: str, month: int, cured: bool) -> bool:
        source = self._free_cell(month, lambda amounts: amounts["total"] > _SMALLEST * 4)
        if source is None:
            return False
        names = [*(name for name, _ in REGIONS if name != source[1]), "", MISSPELT[source[1]]]
        target = self._one([(month, name, source[2]) for name in names if (month, name, source[2]) not in self._cells_taken])
        return target is not None and self._moved(kind, source, target, cured)

    def _wrong_category(self, kind: str, month: int, cured: bool) -> bool:
        source = self._free_cell(month, lambda amounts: amounts["total"] > _SMALLEST * 4)
        if source is None:
            return False
        names = [*sorted({cell[2] for cell in self.amounts if cell[2] != source[2]}), "", f"{source[2]}s"]
        target = self._one([(month, source[1], name) for name in names if (month, source[1], name) not in self._cells_taken])
        return target is not None and self._moved(kind, source, target, cured)

    def _duplicate_journal(self, kind: str, month: int, cured: bool) -> bool:
        cell = self._free_cell(month, lambda amounts: amounts["total"] > _SMALLEST)
        if cell is None:
            return False
        self._take(kind, cell)
        line = self._add(cell, self.amounts[cell]["total"])
        self._tell(kind, cell, kind, line.cents, line.sent_at, None)
        return True

    def _reversal(self, kind: str, month: int, cured: bool) -> bool:
        cell = self._free_cell(month, lambda amounts: amounts["total"] > _SMALLEST * 4)
        if cell is None:
            return False
        self._take(kind, cell)
        named = self.books.lines[cell][0].document if kind == "reversal" else ""
        line = self._add(cell, -self._part(self.amounts[cell]["total"]), kind="reversal", reverses=named)
        self._tell(kind, cell, kind, line.cents, line.sent_at, None)
        return True

    _reversal_unreferenced = _reversal

    def _late_posting(self, kind: str, month: int, cured: bool) -> bool:
        cell = self._free_cell(month, lambda amounts: amounts["total"] > _SMALLEST * 4)
        if cell is None:
            return False
        self._take(kind, cell)
        close, part = self.books.closes[month], self._part(self.amounts[cell]["total"])
        self.books.lines[cell][0].cents -= part
        late = close.cutoff + timedelta(days=1 + 6 * self.rng.random())
        self._add(cell, part, posted_at=late.replace(microsecond=0), sent_at=close.later)
        self._tell(kind, cell, kind, -part, close.later, None, view=AS_OF_CLOSE)
        return True

    # The processor ------------------------------------------------------------------------------------------------------

    def _pay(self, transaction_id: str, kind: str, cents: int, at: datetime, sent_in: int) -> Payment:
        self.books.payments.setdefault(transaction_id, []).append(Payment(transaction_id, kind, cents, at, sent_in))
        return self.books.payments[transaction_id][-1]

    def _settled(self, kind: str, month: int, cause: str, cents: int, name: str, put_right_in: int | None = None) -> None:
        closes = self.books.closes
        cured_at = None if put_right_in is None else closes[put_right_in].paid
        sent_at = closes[month].paid
        self.told.append(Told(kind, SETTLEMENTS, month, cause, cents, sent_at, "settlements", None, name, CURRENT, cured_at))

    def _of_sale(self, kind: str, month: int, cured: bool) -> bool:
        """Charge a sale otherwise than it is due."""
        charged = _SALE_KINDS[kind]
        sale = self._free_sale(month, lambda sale: sale.due > 1 and charged(sale) != sale.due)
        if sale is None:
            return False
        (charge,), wrong = self.books.payments[sale.transaction_id], charged(sale)
        if cured:
            charge.first, charge.put_right_in = {"cents": wrong}, month + 1
        else:
            charge.cents = wrong
        cause = {"settlement_mistyped": "unexplained", "settled_a_cent_off": "rounding"}.get(kind, kind)
        self._settled(kind, month, cause, wrong - sale.due, sale.transaction_id, charge.put_right_in)
        return True

    def _in_transit(self, kind: str, month: int, cured: bool) -> bool:
        if month == self.shop.last:
            return False
        sale = self._free_sale(month, lambda sale: sale.due > 1 and sale.at > starts(month + 1) - timedelta(days=4))
        if sale is None:
            return False
        (charge,) = self.books.payments[sale.transaction_id]
        charge.at, charge.sent_in = starts(month + 1) + timedelta(hours=8 + sale.dice % 60), month + 1
        self._settled(kind, month, kind, -sale.due, sale.transaction_id)
        self._settled(kind, month + 1, kind, sale.due, sale.transaction_id)
        return True

    def _duplicate_settlement(self, kind: str, month: int, cured: bool) -> bool:
        sale = self._free_sale(month, lambda sale: sale.due > 1)
        if sale is None:
            return False
        (charge,) = self.books.payments[sale.transaction_id]
        self._pay(sale.transaction_id, "charge", sale.due, charge.at + timedelta(seconds=7), month)
        self._settled(kind, month, kind, sale.due, sale.transaction_id)
        return True

    def _chargeback(self, kind: str, month: int, cured: bool) -> bool:
        sale = self._free_sale(month, lambda sale: sale.due > _SMALLEST)
        if sale is None:
            return False
        # Of the month itself, or of the one after it: closed months stay as they are.
        of = month if sale.dice % 2 or month == self.shop.last else month + 1
        cents = sale.due if kind == "chargeback" else self._part(sale.due)
        at = starts(of + 1) - timedelta(hours=1 + sale.dice % 20)
        self._pay(sale.transaction_id, kind, -cents, at, of)
        self._settled(kind, of, kind, -cents, sale.transaction_id)
        return True

    _refund = _chargeback

    def _unknown_transaction(self, kind: str, month: int, cured: bool) -> bool:
        at = starts(month) + timedelta(hours=int(self.rng.integers(1, 600)))
        cents = int(self.rng.integers(900, 40_000))
        if cured:
            sale = self._free_sale(month, lambda sale: sale.due > 1)
            if sale is None:
                return False
            (charge,) = self.books.payments[sale.transaction_id]
            wrong = f"TX-{sale.dice}"
            charge.first, charge.put_right_in = {"transaction_id": wrong}, month + 1
            self._settled(kind, month, kind, sale.due, wrong, month + 1)
            self._settled(kind, month, "unsettled", -sale.due, sale.transaction_id, month + 1)
            return True
        form = int(self.rng.integers(0, 3))
        if form == 2:
            sale = self._free_sale(month, lambda sale: sale.payment == "cash" and sale.total > 0)
            if sale is None:
                return False
            name, cents = sale.transaction_id, sale.total
        elif form == 1 and not any(each.month == month and not each.transaction_id and each.kind == kind for each in self.told):
            name = ""
        else:
            name = f"TX-{month}-{int(self.rng.integers(0, 10**9))}"
        self._pay(name, "charge", cents, at, month)
        self._settled(kind, month, kind, cents, name)
        return True

    def _unsettled(self, kind: str, month: int, cured: bool) -> bool:
        sale = self._free_sale(month, lambda sale: sale.due > 1)
        if sale is None:
            return False
        if cured:
            self.books.payments[sale.transaction_id][0].sent_in = month + 1
        else:
            del self.books.payments[sale.transaction_id]
        self._settled(kind, month, kind, -sale.due, sale.transaction_id, month + 1 if cured else None)
        return True

    # Refused rows -------------------------------------------------------------------------------------------------------

    def _cells_of(self, sale: Sale) -> list[Cell]:
        return [(sale.month, sale.region, item.product.category) for item in sale.items]

    def _can_be_refused(self, sale: Sale) -> bool:
        is_free = all(self._cells_taken.get(cell, QUARANTINED) == QUARANTINED for cell in self._cells_of(sale))
        return is_free and bool(sale.region) and sale.total > 1 and (len(sale.items) == 1 or sale.shape == "web")

    def _quarantined(self, kind: str, month: int, cured: bool) -> bool:
        sale = self._free_sale(month, self._can_be_refused)
        if sale is None:
            return False
        self._take(kind, *self._cells_of(sale))
        self._bad += 1
        if len(sale.items) > 1:
            sale.spoilt = IN_BASKETS[self._bad % len(IN_BASKETS)]
        else:
            sale.shape, sale.tax_of_basket = "till", False
            # Sent again as it is, a return would be refused again.
            names = [*REAL] if cured else [*REAL, RETURNED]
            sale.spoilt = names[self._bad % len(names)]
            if sale.spoilt == RETURNED:
                self._turn_back(sale)
        sale.cured = cured
        return True

    def _turn_back(self, sale: Sale) -> None:
        """Make a return of a sale, for everybody who counts it."""
        (item,) = sale.items
        (cell,) = self._cells_of(sale)
        before = item.total
        item.quantity, item.tax = -item.quantity, -item.tax
        self.books.lines[cell][0].cents += item.total - before
        self.amounts[cell].update({"total": item.total - before})
        if sale.due:
            self.books.payments[sale.transaction_id] = [charge_of(sale)]

    def _tell_refused(self) -> None:
        """Tell what refused rows leave in the ledger, in what the shop counts, and in what was paid."""
        worth: Counter[Cell] = Counter()
        cured: Counter[Cell] = Counter()
        for month in self.shop.months:
            for sale in self.shop.sales[month]:
                if not sale.spoilt:
                    continue
                close = self.books.closes[month]
                cured_at = close.resent if sale.cured else None
                for item, cell in zip(sale.items, self._cells_of(sale), strict=True):
                    (cured if sale.cured else worth)[cell] += item.total
                if sale.due:
                    self._refused(SETTLEMENTS, month, sale.due, None, sale.transaction_id, cured_at)
        for cents_of, is_cured in ((worth, False), (cured, True)):
            by_month: Counter[int] = Counter()
            for cell, cents in sorted(cents_of.items()):
                by_month[cell[0]] += cents
                self._refused(LEDGER, cell[0], cents, cell, "", self.books.closes[cell[0]].resent if is_cured else None)
            for month, cents in sorted(by_month.items()):
                self._refused(SENT, month, cents, None, "", self.books.closes[month].resent if is_cured else None)

    def _refused(self, recon: str, month: int, cents: int, cell: Cell | None, name: str, cured_at: datetime | None) -> None:
        if cents:
            sent_at = self.books.closes[month].ended
            told = Told(QUARANTINED, recon, month, QUARANTINED, cents, sent_at, "transactions", cell, name, CURRENT, cured_at)
            self.told.append(told)

    def _junk(self, month: int) -> None:
        """Write a row that nobody counts: like a sale of the month, and bad."""
        sale = self._one(self.shop.sales[month])
        assert sale is not None
        self._bad += 1
        item = replace(sale.items[0], line_no=1)
        name = f"TRY-{month}-{len(self.junk) + 1:04d}"
        self.junk.append(
            (list(JUNK)[self._bad % len(JUNK)], replace(sale, transaction_id=name, items=[item], shape="till", spoilt=""))
        )

    # Look-alikes --------------------------------------------------------------------------------------------------------

    def _look_alike(self, kind: str, month: int) -> None:
        cell, name = None, ""
        if kind in ("reversed_and_rebooked", "two_equal_documents"):
            halves = kind == "two_equal_documents"
            cell = self._free_cell(month, lambda amounts: amounts["total"] > 1 and not (halves and amounts["total"] % 2))
            if cell is None:
                return
            self._take(kind, cell)
            (line,) = self.books.lines[cell]
            if halves:
                line.cents //= 2
                self._add(cell, line.cents)
            else:
                self._add(cell, -line.cents, kind="reversal", reverses=line.document)
                self._add(cell, line.cents)
        else:
            sale = self._free_sale(month, _LOOKS[kind])
            if sale is None or not self._disguise(kind, sale):
                return
            name = sale.transaction_id
        self.look_alikes.append(LookAlike(kind, month, cell, name))

    def _disguise(self, kind: str, sale: Sale) -> bool:
        """Let a sale look as if something were wrong with it."""
        if kind == "charged_in_parts":
            (charge,) = self.books.payments[sale.transaction_id]
            charge.cents -= (part := sale.due // 2)
            self._pay(sale.transaction_id, "charge", part, charge.at, charge.sent_in)
        elif kind == "charged_twice_and_refunded":
            (charge,) = self.books.payments[sale.transaction_id]
            self._pay(sale.transaction_id, "charge", sale.due, charge.at, charge.sent_in)
            self._pay(sale.transaction_id, "refund", -sale.due, charge.at, charge.sent_in)
        elif kind == "sent_twice":
            self.again.append(sale)
        elif kind == "older_state":
            more: list[Item] = [replace(item, quantity=item.quantity * 2) for item in sale.items]
            self.before.append(replace(sale, items=more))
        elif kind == "deleted":
            # Somebody bought and thought better of it: the shop takes it away again.
            gone = replace(sale, transaction_id=f"{sale.transaction_id}-X", shape="web")
            self.deleted.append(gone)
        elif kind == "taken_out":
            sale.taken_out = True
        elif kind == "shouted":
            sale.shouts = True
        else:
            sale.notation = kind
        return True


def _transposed(cents: int) -> int | None:
    """Return an amount with its two leading digits exchanged."""
    digits = str(cents)
    return int(digits[1] + digits[0] + digits[2:]) if cents > _SMALLEST and digits[0] != digits[1] else None


_CELL_KINDS: dict[str, Callable[[Counter[str]], int | None]] = {
    "discount_not_booked": lambda amounts: amounts["gross"] if amounts["gross"] - amounts["total"] > 1 else None,
    "tax_booked": lambda amounts: amounts["total"] + amounts["tax"] if amounts["tax"] > 1 else None,
    "rounding": lambda amounts: amounts["total"] + 1 if amounts["total"] > _SMALLEST else None,
    "mistyped": lambda amounts: _transposed(amounts["total"]),
}
"""How a cell is booked; ``None`` where a fault of the kind cannot be."""

_SALE_KINDS: dict[str, Callable[[Sale], int]] = {
    "discount_not_applied": lambda sale: sale.due + sale.discount if sale.discount > 1 else sale.due,
    "settled_a_cent_off": lambda sale: sale.due - 1,
    "settlement_mistyped": lambda sale: _transposed(sale.due) or sale.due,
}
"""What a sale is charged."""


def _has_two_readings(sale: Sale, *, against: bool) -> bool:
    day, month = sale.at.day, sale.at.month
    # Month first, the date would lie after its arrival early in the next month; December has none that is later.
    return sale.shape == "till" and day <= 12 and (day > month + 1 if against else day < month)


_LOOKS: dict[str, Callable[[Sale], bool]] = {
    "charged_in_parts": lambda sale: sale.due > _SMALLEST,
    "charged_twice_and_refunded": lambda sale: sale.due > _SMALLEST,
    "sent_twice": lambda sale: not sale.spoilt,
    "older_state": lambda sale: sale.shape == "web" and sale.at.day <= 14,
    "deleted": lambda sale: sale.at.day <= 14,
    "taken_out": lambda sale: sale.shape == "web",
    "shouted": lambda sale: bool(sale.region),
    "ambiguous_date": lambda sale: _has_two_readings(sale, against=False),
    "other_order": lambda sale: _has_two_readings(sale, against=True),
}
"""Which sales can look like it."""
