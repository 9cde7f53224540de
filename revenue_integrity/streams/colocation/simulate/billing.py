"""What is due, and the ERP that bills it: charges, documents, extracts.

Belongs here: charges to the cent, invoice lines, which extract shows what. Does not belong here: what goes wrong
(``faults``). Quantities and prices are integers in millionths, amounts in cents.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from revenue_integrity import months
from revenue_integrity.streams.colocation.simulate.metering import Ints, Meters
from revenue_integrity.streams.colocation.simulate.world import MICRO, Contract, Segment, World

Cutoff = Callable[[date], datetime]


def rounded(numerator: int, denominator: int) -> int:
    """Divide and round half away from zero."""
    sign = -1 if numerator < 0 else 1
    return sign * ((abs(numerator) * 2 + denominator) // (denominator * 2))


def amount_of(quantity: int, unit_price: int) -> int:
    """Return the cents of a quantity at a price, both in millionths."""
    return rounded(quantity * unit_price, 10**10)


@dataclass(frozen=True)
class Charge:
    """One line that is due: a charge type of a segment.

    Attributes:
        kwh: thousandths of a kWh behind an energy charge.
        segment: the days it is for, with their terms.
    """

    charge_type: str
    quantity: int
    unit_price: int
    amount: int
    segment: Segment
    kwh: int = 0


Due = dict[tuple[int, date], list[Charge]]


def energy_charge(segment: Segment, kwh: int) -> Charge:
    """Return the energy charge of a segment for a reading sum in thousandths of a kWh."""
    terms = segment.version
    uplift = MICRO if terms.uplift is None else terms.uplift
    price = terms.energy_rate or 0
    billable = kwh * 1000 * uplift
    return Charge("energy", rounded(billable, MICRO), price, rounded(billable * price, 10**16), segment, kwh)


def charges_due(world: World, meters: Meters) -> Due:
    """Return what every contract owes for every month, in the order of segments and charge types."""
    due: Due = {}
    month_starts = [(month - world.first).days for month in world.months]
    for contract in world.contracts:
        mine = meters.of(contract.index)
        kwh, peak = meters.kwh[mine].sum(axis=0), meters.peak[mine].sum(axis=0)
        for month, offset in zip(world.months, month_starts, strict=True):
            inside = contract.in_month(month)
            if inside:
                days = slice(offset, offset + months.days_in(month))
                due[contract.index, month] = list(_charges(contract, inside, month, kwh[days], peak[days]))
    return due


def _charges(contract: Contract, segments: list[Segment], month: date, kwh: Ints, peak: Ints) -> Iterator[Charge]:
    length = months.days_in(month)
    overage: tuple[int, date, Segment] | None = None
    for segment in segments:
        terms = segment.version
        for name, units, price in (("rack", terms.racks * MICRO, terms.rack_price), ("power", terms.kw, terms.kw_price)):
            amount = rounded(units * price * segment.days, 10**10 * length)
            if amount:
                yield Charge(name, rounded(units * segment.days, length), price, amount, segment)
        days = slice(segment.first.day - 1, segment.last.day)
        if contract.metered:
            charge = energy_charge(segment, int(kwh[days].sum()))
            if charge.amount:
                yield charge
        if terms.overage_price is not None:
            excess = peak[days] * 1000 - terms.kw
            highest = int(excess.argmax())
            if excess[highest] > 0 and (overage is None or excess[highest] > overage[0]):
                overage = (int(excess[highest]), segment.first + timedelta(days=highest), segment)
        if terms.fee and terms.effective_from == segment.first:
            yield Charge("one_time", MICRO, terms.fee * 10_000, terms.fee, Segment(terms, segment.first, segment.first))
    if overage:
        price = overage[2].version.overage_price or 0
        amount = rounded(overage[0] * price, 10**10)
        if amount:
            yield Charge("overage", overage[0], price, amount, Segment(overage[2].version, overage[1], overage[1]))


@dataclass(frozen=True)
class Close:
    """The days after a service month in which it is billed and closed.

    Attributes:
        invoice_date: the day on which the month is billed.
        cutoff: the last instant at which a posting is in time.
        extracts: when the ERP is extracted: after billing, after the cutoff, after the final power bills.
    """

    month: date
    invoice_date: date
    begins: datetime
    cutoff: datetime
    extracts: tuple[datetime, datetime, datetime]

    def at(self, share: float) -> datetime:
        """Return the instant at a share of the time between billing and cutoff, in whole seconds."""
        return (self.begins + (self.cutoff - self.begins) * share).replace(microsecond=0)

    def late(self, share: float) -> datetime:
        """Return an instant between the cutoff's extract and the last one."""
        return (self.extracts[1] + (self.extracts[2] - self.extracts[1]) * share).replace(microsecond=0)


def close_of(month: date, cutoff: Cutoff) -> Close:
    """Lay the days of a month's close around its cutoff."""
    following = months.add(month, 1)
    ends = cutoff(month)
    room = ends - datetime.combine(following, time(), UTC) > timedelta(days=3)
    invoice_date = following + timedelta(days=1 if room else 0)
    begins = datetime.combine(invoice_date, time(15, 0), UTC)
    if ends <= begins:
        raise ValueError(f"the cutoff of {months.label(month)}, {ends}, leaves no time for billing")
    first = (begins + (ends - begins) * 0.5).replace(microsecond=0)
    second = (ends + timedelta(hours=2)).replace(microsecond=0)
    third = max(datetime.combine(following + timedelta(days=21), time(2, 0), UTC), second + timedelta(days=3))
    return Close(month, invoice_date, begins, ends, (first, second, third))


@dataclass(frozen=True)
class Line:
    """A line of an ERP document.

    Attributes:
        contract: index of the contract that the ERP means; ``None`` if it cannot be told from the line.
    """

    document_id: str
    line_no: int
    document_type: str
    code: str
    ref: str | None
    service_month: date
    charge_type: str
    quantity: int
    unit_price: int
    amount: int
    invoice_date: date
    posted_at: datetime
    corrects: str | None
    customer: int | None
    contract: int | None


@dataclass
class Erp:
    """The ERP: everything posted, and every later change of a line.

    Attributes:
        shown: lines in the order of posting, each with the instant from which extracts show it so.
    """

    world: World
    closes: dict[date, Close]
    shown: list[tuple[datetime, Line]] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _lines: dict[str, int] = field(default_factory=dict)

    def document(self, prefix: str, day: date) -> str:
        """Return the number of a new document."""
        series = f"{prefix}-{day:%y%m}"
        self._numbers[series] = self._numbers.get(series, 0) + 1
        return f"{series}-{self._numbers[series]:05d}"

    def post(
        self,
        contract: Contract,
        month: date,
        charge: Charge,
        posted_at: datetime,
        /,
        *,
        document: str,
        invoice_date: date | None = None,
        credit: bool = False,
        corrects: str | None = None,
        **changes: object,
    ) -> Line:
        """Post a line for a charge; a credit turns quantity and amount around."""
        sign = -1 if credit else 1
        self._lines[document] = self._lines.get(document, 0) + 1
        line = Line(
            document,
            self._lines[document],
            "credit_memo" if credit else "invoice",
            self.world.code(contract),
            self.world.ref(contract, month),
            month,
            charge.charge_type,
            sign * charge.quantity,
            charge.unit_price,
            sign * charge.amount,
            invoice_date or posted_at.date(),
            posted_at,
            corrects,
            contract.customer,
            contract.index,
        )
        line = replace(line, **changes)  # type: ignore[arg-type]  # names and types are those of the fields
        self.shown.append((posted_at, line))
        return line

    def amend(self, line: Line, at: datetime, **changes: object) -> None:
        """Change a posted line in place; extracts show it from then on."""
        self.shown.append((at, replace(line, **changes)))  # type: ignore[arg-type]  # names and types are those of the fields

    def extracts(self) -> list[datetime]:
        """Return the instants of all extracts, in order."""
        return sorted({instant for close in self.closes.values() for instant in close.extracts})

    def extract_of(self, instant: datetime) -> datetime:
        """Return the first extract that shows what was posted at an instant."""
        return next(extract for extract in self.extracts() if extract >= instant)

    def by_extract(self) -> Iterator[tuple[datetime, list[Line]]]:
        """Yield each extract with the lines that are new or changed in it."""
        waiting = sorted(enumerate(self.shown), key=lambda each: (each[1][0], each[0]))
        position = 0
        for extract in self.extracts():
            lines: list[Line] = []
            while position < len(waiting) and waiting[position][1][0] <= extract:
                lines.append(waiting[position][1][1])
                position += 1
            yield extract, lines


def bill(
    erp: Erp,
    due: Due,
    held: "dict[tuple[int, date, str], Callable[[str, list[Charge], datetime], None]]",
    seed: int,
) -> None:
    """Post one invoice per contract and month; what is held goes to whoever holds it, with the document it would be on."""
    rng = np.random.default_rng([seed, 5])
    for (index, month), charges in sorted(due.items(), key=lambda item: (item[0][1], item[0][0])):
        close = erp.closes[month]
        contract = erp.world.contracts[index]
        posted_at = close.at(float(rng.uniform(0.02, 0.48)))
        document = erp.document("INV", close.invoice_date)
        for charge_type in dict.fromkeys(charge.charge_type for charge in charges):
            mine = [charge for charge in charges if charge.charge_type == charge_type]
            holder = held.get((index, month, charge_type))
            if holder:
                holder(document, mine, posted_at)
                continue
            for charge in mine:
                erp.post(contract, month, charge, posted_at, document=document, invoice_date=close.invoice_date)


def totals(lines: Iterable[Line]) -> tuple[int, int]:
    """Return how many lines there are and what they add up to in cents."""
    amounts = [line.amount for line in lines]
    return len(amounts), sum(amounts)
