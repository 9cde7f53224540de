"""What accounting books and the payment processor pays when nothing goes wrong.

Belongs here: a document for each region and month, a charge for each sale, when both come about and are sent. Does not belong
here: what goes wrong with them (``faults``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from revenue_integrity.streams.sales.simulate.shop import Cell, Sale, Shop, cells, month_of, starts

Cutoff = Callable[[date], datetime]


@dataclass(frozen=True)
class Close:
    """When a month is booked, closed and extracted.

    Attributes:
        cutoff: the last instant at which a posting of the month is in time.
        booked: when its documents are posted.
        closing: the extract of the ledger after the cutoff.
        later: the one ten days after.
        middle: when the web shop sends the first half of the month.
        ended: when everybody sends the rest.
        counted: when the shop counts what it sold.
        paid: when the processor sends what it paid in the month.
        resent: when what was refused is sent again.
    """

    cutoff: datetime
    booked: datetime
    closing: datetime
    later: datetime
    middle: datetime
    ended: datetime
    counted: datetime
    paid: datetime
    resent: datetime


def close_of(month: int, cutoff: Cutoff) -> Close:
    """Return the close of a month."""
    ends = cutoff(month_of(month))
    booked = datetime.combine(month_of(month + 1), time(9, 0), UTC)
    closing = (ends + timedelta(minutes=40)).replace(second=0, microsecond=0)
    return Close(
        ends,
        booked,
        closing,
        closing + timedelta(days=10),
        starts(month) + timedelta(days=15, hours=2),
        starts(month + 1) + timedelta(hours=3),
        starts(month + 1) + timedelta(hours=5),
        starts(month + 1) + timedelta(days=1, hours=4),
        closing + timedelta(days=9),
    )


@dataclass
class Line:
    """A line of the ledger: ``first`` is what the closing extract said instead, if a later one put it right."""

    document: str
    line_no: int
    cell: Cell
    cents: int
    posted_at: datetime
    sent_at: datetime
    kind: str = "journal"
    reverses: str = ""
    first: dict[str, Any] = field(default_factory=dict)
    put_right_at: datetime | None = None


@dataclass
class Payment:
    """A settlement: ``first`` as for lines of the ledger; ``sent_in`` is the month whose file has it."""

    transaction_id: str
    kind: str
    cents: int
    at: datetime
    sent_in: int
    first: dict[str, Any] = field(default_factory=dict)
    put_right_in: int | None = None
    settlement_id: str = ""


@dataclass
class Books:
    """All that was booked and paid, by what it is about."""

    closes: dict[int, Close]
    lines: dict[Cell, list[Line]]
    payments: dict[str, list[Payment]]

    def all_payments(self) -> list[Payment]:
        """Return all payments with their ids, in the order in which they were made."""
        found = sorted(
            (each for payments in self.payments.values() for each in payments),
            key=lambda each: (each.at, each.transaction_id, each.kind, each.cents),
        )
        for number, each in enumerate(found):
            each.settlement_id = f"S-{number + 1:08d}"
        return found


def charge_of(sale: Sale) -> Payment:
    """Return the charge of a sale, in its own month."""
    at = min(sale.at + timedelta(hours=1 + sale.dice % 40), starts(sale.month + 1) - timedelta(minutes=1))
    return Payment(sale.transaction_id, "charge" if sale.due > 0 else "refund", sale.due, at, sale.month)


def book(shop: Shop, cutoff: Cutoff) -> Books:
    """Return the books without faults."""
    books = Books({month: close_of(month, cutoff) for month in shop.months}, {}, {})
    for month in shop.months:
        numbers: dict[str, int] = {}
        for cell, amounts in sorted(cells(shop.sales[month]).items()):
            region = cell[1]
            numbers[region] = numbers.get(region, 0) + 1
            document = f"JE-{month_of(month):%Y%m}-{region[:1] or 'X'}"
            close = books.closes[month]
            posted = close.booked + timedelta(seconds=len(numbers) * 60)
            books.lines[cell] = [Line(document, numbers[region], cell, amounts["total"], posted, close.closing)]
        for sale in shop.sales[month]:
            if sale.due:
                books.payments[sale.transaction_id] = [charge_of(sale)]
    return books
