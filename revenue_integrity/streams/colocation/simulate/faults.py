"""What goes wrong: faults, how each is mended, and what only looks like one.

Belongs here: choosing where a fault happens, the lines it leaves, its cents. Does not belong here: what is due
(``billing``), how many there are (``plan``).

Cents are ERP less due, per row of the reconciliation, for as long as nothing mends the fault. No two faults stand so near
each other that one could be taken for an end of the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np

from revenue_integrity import months
from revenue_integrity.streams.colocation.simulate.billing import (
    Charge,
    Close,
    Due,
    Erp,
    Line,
    amount_of,
    energy_charge,
    rounded,
)
from revenue_integrity.streams.colocation.simulate.metering import ON_TIME, BadReading, Meters, Override
from revenue_integrity.streams.colocation.simulate.plan import BILLING_KINDS, LOOK_ALIKE_KINDS, POWER_KINDS, STREAM, Plan
from revenue_integrity.streams.colocation.simulate.power import Bill, Booking, power_variance
from revenue_integrity.streams.colocation.simulate.world import MICRO, Contract, Mapping, World
from revenue_integrity.streams.simulating import batch_id, instant_text

FAULT_COLUMNS = (
    "month",
    "recon",
    "customer_id",
    "contract_id",
    "site_id",
    "charge_type",
    "cause",
    "cents",
    "planted_in_batch",
    "cured_by_batch",
    "cured_at",
    "view",
)
LOOK_ALIKE_COLUMNS = ("month", "recon", "customer_id", "contract_id", "site_id", "charge_type", "kind")
BAD_ROW_COLUMNS = ("batch_id", "file_name", "row_number", "fault")

RECON_BILLING, RECON_POWER = "erp_vs_mart", "erp_vs_allocated_power"

EXTRACT_TRAVELS = timedelta(minutes=5)
"""From the instant of an ERP extract to the arrival of its files."""

_LOOKBACK_DAYS = 28
"""Days behind a gap estimate (specification of meter_daily)."""

Holder = Callable[[str, list[Charge], datetime], None]
Place = tuple[int, date, str]


@dataclass(frozen=True)
class End:
    """What a fault leaves on one row of the reconciliation."""

    month: date
    customer: int | None
    contract: int | None
    charge_type: str
    cents: int
    cause: str


@dataclass
class Fault:
    """A fault: its ends, and how it comes about.

    Attributes:
        hold: takes the place of billing the charge; ``None`` if the charge is billed as it is due.
        add: posts what comes beside what is billed.
        overrides: readings that billing saw differently.
        planted_at: posting of its first line; set when it is posted.
        cured_at: when it was mended, ``None`` if it is open.
    """

    kind: str
    place: Place
    ends: list[End]
    hold: "Callable[[Fault, str, list[Charge], datetime], None] | None" = None
    add: "Callable[[Fault], None] | None" = None
    overrides: list[Override] = field(default_factory=list)
    touches: list[Place] = field(default_factory=list)
    planted_at: datetime | None = None
    cured_at: datetime | None = None
    cured_by: str = "erp_invoices"


class Planter:
    """Chooses and makes the faults of a simulation."""

    def __init__(
        self, world: World, meters: Meters, due: Due, erp: Erp, bills: Sequence[tuple[Bill, Bill]], plan: Plan, seed: int
    ) -> None:
        self.world, self.meters, self.due, self.erp, self.bills, self.plan = world, meters, due, erp, bills, plan
        self.rng = np.random.default_rng([seed, 6])
        self.held: dict[Place, Holder] = {}
        self.faults: list[Fault] = []
        self.overrides: list[Override] = []
        self.bad_readings: list[BadReading] = []
        self.bad_rows: list[dict[str, Any]] = []
        self.look_alikes: list[dict[str, Any]] = []
        self.mappings: list[tuple[datetime, Mapping]] = []
        self.power_faults: dict[tuple[int, date], str] = {}
        self.bookings: Sequence[Booking] = ()
        self._taken: set[tuple[int, date]] = set()
        self._taken_rows: set[Place] = set()
        self._ends: dict[tuple[int | None, str], list[End]] = {}
        self._overridden: dict[int, list[int]] = {}
        self._by_month: dict[date, list[Place]] = {}
        self._single: dict[date, set[Place]] = {}

    @property
    def planted(self) -> int:
        """Number of faults."""
        return len(self.faults) + len(self.power_faults)

    # Choosing places

    def plan_all(self) -> None:
        """Choose all faults, bad rows and look-alikes, before anything is billed."""
        recent = self.world.months[-self.plan.recent_months :] if self.plan.recent_months else []
        for month in self.world.months:
            singles: dict[tuple[int, str], int] = {}
            for contract in range(len(self.world.contracts)):
                for charge in self.due.get((contract, month), []):
                    singles[contract, charge.charge_type] = singles.get((contract, charge.charge_type), 0) + 1
            self._by_month[month] = [(contract, month, name) for (contract, name), count in singles.items() if count == 1]
            self._single[month] = set(self._by_month[month])
        # Kinds with few possible places come first; then they find theirs.
        for kind in BILLING_KINDS:
            for month in self.world.months:
                counts = self.plan.open if month in recent else self.plan.cured
                self._plant(kind, month, self._count(counts.get(kind, 0)), cure=month not in recent, recent=recent)
        for kind in LOOK_ALIKE_KINDS:
            for month in self.world.months:
                self._plan_look_alikes(kind, month, self._count(self.plan.look_alikes.get(kind, 0)))
        self._plan_power(recent)
        self._plan_bad_readings()

    def _count(self, number: float) -> int:
        whole = int(number)
        return whole + int(self.rng.random() < number - whole)

    def _places(self, month: date) -> Iterator[Place]:
        """Yield the charges of one segment in a month in random order: first those of contracts without any other fault."""
        places = self._by_month[month]
        order = [int(number) for number in self.rng.permutation(len(places))]
        window = [months.add(month, offset) for offset in range(-2, 3)]
        for strict in (True, False):
            for number in order:
                contract, _, name = places[number]
                free = all((contract, each, name) not in self._taken_rows for each in window)
                if free and not (strict and any((contract, each) in self._taken for each in window)):
                    yield places[number]

    def _plant(self, kind: str, month: date, count: int, *, cure: bool, recent: Sequence[date]) -> None:
        """Make up to so many faults of a kind in a month: fewer where the places do not suffice."""
        make: Callable[[Place, bool, Sequence[date]], Fault | None] = getattr(self, f"_{kind}")
        for place in self._places(month) if count else ():
            fault = make(place, cure, recent)
            if fault and self._stands_alone(fault):
                self._register(fault)
                count -= 1
                if not count:
                    return

    def _stands_alone(self, fault: Fault) -> bool:
        """Return whether no end could be taken for the counterpart of another fault's."""
        window = [-2, -1, 0, 1, 2]
        for contract, month, name in fault.touches:
            if any((contract, months.add(month, offset), name) in self._taken_rows for offset in window):
                return False
        return not any(
            abs(abs(end.cents) - abs(other.cents)) <= 1 or (end.month, end.contract) == (other.month, other.contract)
            for end in fault.ends
            for other in self._ends.get((end.customer, end.charge_type), [])
            if abs((end.month.year - other.month.year) * 12 + end.month.month - other.month.month) <= 2
        )

    def _register(self, fault: Fault) -> None:
        self.faults.append(fault)
        self.overrides += fault.overrides
        for each in fault.overrides:
            self._overridden.setdefault(each.meter, []).append(each.day)
        for end in fault.ends:
            self._ends.setdefault((end.customer, end.charge_type), []).append(end)
        for contract, month, name in [fault.place, *fault.touches]:
            self._taken.add((contract, month))
            self._taken_rows.add((contract, month, name))
        if fault.hold:
            hold = fault.hold
            self.held[fault.place] = lambda document, charges, at: hold(fault, document, charges, at)

    # Helpers of the kinds

    def _charge(self, place: Place) -> Charge:
        contract, month, name = place
        return next(charge for charge in self.due[contract, month] if charge.charge_type == name)

    def _contract(self, place: Place) -> Contract:
        return self.world.contracts[place[0]]

    def _end(self, place: Place, cents: int, cause: str) -> End:
        return End(place[1], self._contract(place).customer, place[0], place[2], cents, cause)

    def _whole_month(self, place: Place) -> bool:
        return place[2] in ("rack", "power") and self._charge(place).segment.days == months.days_in(place[1])

    def _cure_at(self, close: Close, not_before: datetime | None = None) -> datetime:
        """Return when somebody mends a fault: mostly before the cutoff, sometimes only after it."""
        in_time = close.at(float(self.rng.uniform(0.6, 0.95)))
        late = close.late(float(self.rng.uniform(0.1, 0.8)))
        earliest = not_before or close.begins
        if in_time < earliest < close.cutoff - timedelta(minutes=30):
            in_time = earliest + (close.cutoff - earliest) / 2
        chosen = in_time if self.rng.random() < 0.85 and in_time >= earliest else max(late, earliest)
        return chosen.replace(microsecond=0)

    def _cured(self, fault: Fault, cure: bool, not_before: datetime | None = None) -> datetime | None:
        if cure:
            fault.cured_at = self._cure_at(self.erp.closes[fault.place[1]], not_before)
        return fault.cured_at

    def _post_wrong(self, fault: Fault, document: str, due: Charge, wrong: Charge, at: datetime, cure: bool) -> None:
        """Bill a wrong charge, and mend it with a credit of all of it and a bill of what is due."""
        contract, month = self._contract(fault.place), fault.place[1]
        close = self.erp.closes[month]
        fault.planted_at = at
        self.erp.post(contract, month, wrong, at, document=document, invoice_date=close.invoice_date)
        arrivals = [self.meters.arrivals[each.file] + timedelta(hours=1) for each in fault.overrides]
        mended = self._cured(fault, cure, max(arrivals, default=None))
        if mended:
            credit = self.erp.document("CM", mended.date())
            self.erp.post(contract, month, wrong, mended, document=credit, credit=True, corrects=document)
            self.erp.post(contract, month, due, mended, document=self.erp.document("RB", mended.date()))

    def _wrong(self, place: Place, cause: str, wrong: Charge, cure: bool, overrides: Sequence[Override] = ()) -> Fault:
        due = self._charge(place)

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            self._post_wrong(fault, document, charges[0], wrong, at, cure)

        return Fault(cause, place, [self._end(place, wrong.amount - due.amount, cause)], hold=hold, overrides=list(overrides))

    # Kinds: each returns the fault at a place, or nothing where it cannot be

    def _late_posting(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        close = self.erp.closes[place[1]]

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            fault.planted_at = close.late(float(self.rng.uniform(0.05, 0.9)))
            late = self.erp.document("INV", fault.planted_at.date())
            self.erp.post(self._contract(place), place[1], charges[0], fault.planted_at, document=late)

        return Fault("late_posting", place, [], hold=hold)

    def _period_shift(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        contract, month, name = place
        # Both ends are mended, or both are left.
        among = [each for each in self.world.months if (each in recent) == (month in recent)]
        for other in (months.add(month, 1), months.add(month, -1)):
            there = (contract, other, name)
            if other in among and name in ("rack", "power") and there in self._single[other]:
                break
        else:
            return None
        cents = self._charge(place).amount
        found = self._contract(place)

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            fault.planted_at = at
            close = self.erp.closes[month]
            line = self.erp.post(
                found,
                month,
                charges[0],
                at,
                document=document,
                invoice_date=close.invoice_date,
                service_month=other,
                ref=self.world.ref(found, other),
            )
            mended = self._cured(fault, cure)
            if mended:
                self.erp.amend(line, mended, service_month=month, ref=self.world.ref(found, month))

        ends = [self._end(place, -cents, "period_shift"), self._end(there, cents, "period_shift")]
        return Fault("period_shift", place, ends, hold=hold, touches=[there])

    def _unmapped_line(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        contract, month, name = place
        found, cents = self._contract(place), self._charge(place).amount
        ref = f"PO-{4_000_000 + int(self.rng.integers(1_000_000)):07d}"
        # Now and then the ERP's customer is unknown too, and nothing ties the line to the charge that is missing.
        stranger = not cure and self.rng.random() < 0.3
        customer = None if stranger else found.customer

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            fault.planted_at = at
            changes: dict[str, Any] = {"ref": ref, "contract": None, "customer": customer}
            if stranger:
                changes["code"] = f"E-9{contract:05d}"
            close = self.erp.closes[month]
            self.erp.post(found, month, charges[0], at, document=document, invoice_date=close.invoice_date, **changes)
            mended = close.at(0.9) if cure else None
            if mended:
                fault.cured_at, fault.cured_by = mended, "erp_mapping"
                last = months.last_day(month)
                mapped = Mapping(self.world.code(found), found.customer, ref, contract, month, last, mended.date())
                self.mappings.append((mended, mapped))

        ends = [
            End(month, customer, None, name, cents, "unmapped_line"),
            self._end(place, -cents, "unbilled" if stranger else "unmapped_line"),
        ]
        return Fault("unmapped_line", place, ends, hold=hold)

    def _wrong_contract(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        contract, month, name = place
        found, cents = self._contract(place), self._charge(place).amount
        others = [
            each
            for each in self.world.siblings(found)
            if sum(charge.charge_type == name for charge in self.due.get((each.index, month), [])) == 1
        ]
        if not others:
            return None
        other = others[0]
        there = (other.index, month, name)

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            fault.planted_at = at
            line = self.erp.post(
                found,
                month,
                charges[0],
                at,
                document=document,
                invoice_date=self.erp.closes[month].invoice_date,
                ref=self.world.ref(other, month),
                contract=other.index,
            )
            mended = self._cured(fault, cure)
            if mended:
                self.erp.amend(line, mended, ref=self.world.ref(found, month), contract=contract)

        ends = [self._end(place, -cents, "wrong_contract"), self._end(there, cents, "wrong_contract")]
        return Fault("wrong_contract", place, ends, hold=hold, touches=[there])

    def _duplicate_billing(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        if not self._whole_month(place):
            return None
        due = self._charge(place)

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            contract, month = self._contract(place), place[1]
            day = self.erp.closes[month].invoice_date
            self.erp.post(contract, month, due, at, document=document, invoice_date=day)
            fault.planted_at = at + timedelta(minutes=5)
            second = self.erp.document("INV", day)
            self.erp.post(contract, month, due, fault.planted_at, document=second, invoice_date=day)
            mended = self._cured(fault, cure)
            if mended:
                credit = self.erp.document("CM", mended.date())
                self.erp.post(contract, month, due, mended, document=credit, credit=True, corrects=second)

        return Fault("duplicate_billing", place, [self._end(place, due.amount, "duplicate_billing")], hold=hold)

    def _credit_memo(self, place: Place, cure: bool, recent: Sequence[date], cause: str = "credit_memo") -> Fault | None:
        due = self._charge(place)
        cents = round(due.amount * float(self.rng.uniform(0.1, 0.4)) / 100) * 100
        if due.amount < 50_000:
            return None
        part = Charge(place[2], MICRO, cents * 10_000, cents, due.segment)

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            contract, month = self._contract(place), place[1]
            self.erp.post(contract, month, due, at, document=document, invoice_date=self.erp.closes[month].invoice_date)
            fault.planted_at = at + timedelta(minutes=20)
            credit = self.erp.document("CM", fault.planted_at.date())
            corrects = document if cause == "credit_memo" else None
            self.erp.post(contract, month, part, fault.planted_at, document=credit, credit=True, corrects=corrects)
            mended = self._cured(fault, cure)
            if mended:
                self.erp.post(contract, month, part, mended, document=self.erp.document("RB", mended.date()))

        return Fault(cause, place, [self._end(place, -cents, cause)], hold=hold)

    def _credit_unreferenced(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        return self._credit_memo(place, cure, recent, "credit_unreferenced")

    def _uncontracted(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        contract, month, _ = place
        found = self._contract(place)
        segment = self._charge(place).segment
        if found.metered or self.rng.random() < 0.5:
            price = int(self.rng.integers(1_500, 6_001)) * MICRO
            extra = Charge("other", MICRO, price, amount_of(MICRO, price), segment)
        else:
            quantity, price = int(self.rng.integers(8_000, 30_001)) * MICRO, 120_000
            extra = Charge("energy", quantity, price, amount_of(quantity, price), segment)
        there = (contract, month, extra.charge_type)

        def add(fault: Fault) -> None:
            close = self.erp.closes[month]
            fault.planted_at = close.at(0.4)
            document = self.erp.document("INV", close.invoice_date)
            self.erp.post(found, month, extra, fault.planted_at, document=document, invoice_date=close.invoice_date)
            mended = self._cured(fault, cure)
            if mended:
                credit = self.erp.document("CM", mended.date())
                self.erp.post(found, month, extra, mended, document=credit, credit=True, corrects=document)

        return Fault("uncontracted", there, [self._end(there, extra.amount, "uncontracted")], add=add, touches=[place])

    def _stale_version(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        name = place[2]
        if not self._whole_month(place):
            return None
        due = self._charge(place)
        earlier = [
            version
            for version in self._contract(place).versions
            if version.version < due.segment.version.version and version.effective_to is None and version.status == "active"
        ]
        if not earlier or due.segment.version.effective_to is not None:
            return None
        old = earlier[-1]
        quantity, price = (old.racks * MICRO, old.rack_price) if name == "rack" else (old.kw, old.kw_price)
        wrong = replace(due, quantity=quantity, unit_price=price, amount=amount_of(quantity, price))
        if abs(wrong.amount - due.amount) < 10_000:
            return None
        return self._wrong(place, "stale_version", wrong, cure)

    def _proration(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        _, month, name = place
        due = self._charge(place)
        inside = self._contract(place).in_month(month)
        if name not in ("rack", "power") or due.segment.days == months.days_in(month) or len(inside) != 1:
            return None
        terms = due.segment.version
        quantity = terms.racks * MICRO if name == "rack" else terms.kw
        wrong = replace(due, quantity=quantity, amount=amount_of(quantity, due.unit_price))
        return self._wrong(place, "proration", wrong, cure)

    def _rounding(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        due = self._charge(place)
        cent = 1 if self.rng.random() < 0.5 else -1
        return self._wrong(place, "rounding", replace(due, amount=due.amount + cent), cure)

    def _price_mismatch(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        if not self._whole_month(place):
            return None
        due = self._charge(place)
        # Whole dollars on quantities of one decimal: the difference is exact, without a cent of rounding.
        low, high = (20, 91) if place[2] == "rack" else (3, 16)
        price = due.unit_price + int(self.rng.integers(low, high)) * MICRO
        if any(price in (version.rack_price, version.kw_price) for version in self._contract(place).versions):
            return None
        added = rounded(due.quantity * (price - due.unit_price), 10**10)
        return self._wrong(place, "price_mismatch", replace(due, unit_price=price, amount=due.amount + added), cure)

    def _quantity_mismatch(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        if not self._whole_month(place):
            return None
        due = self._charge(place)
        more = int(self.rng.integers(1, 4)) if place[2] == "rack" else int(self.rng.integers(5, 21))
        quantity = due.quantity + more * MICRO
        if any(quantity in (version.racks * MICRO, version.kw) for version in self._contract(place).versions):
            return None
        added = amount_of(more * MICRO, due.unit_price)
        return self._wrong(place, "quantity_mismatch", replace(due, quantity=quantity, amount=due.amount + added), cure)

    def _unbilled(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        due = self._charge(place)
        if due.amount < 20_000:
            return None

        def hold(fault: Fault, document: str, charges: list[Charge], at: datetime) -> None:
            fault.planted_at = at
            mended = self._cured(fault, cure)
            if mended:
                self.erp.post(self._contract(place), place[1], due, mended, document=self.erp.document("INV", mended.date()))

        return Fault("unbilled", place, [self._end(place, -due.amount, "unbilled")], hold=hold)

    def _estimated_meter(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        return self._misread(place, "estimated_meter", cure)

    def _late_meter(self, place: Place, cure: bool, recent: Sequence[date]) -> Fault | None:
        return self._misread(place, "late_meter", cure)

    def _misread(self, place: Place, cause: str, cure: bool) -> Fault | None:
        """Bill energy on readings that change after the invoice."""
        contract, month, name = place
        due = self._charge(place)
        first = (month - self.world.first).days
        if name != "energy" or due.segment.days != months.days_in(month) or first < _LOOKBACK_DAYS:
            return None
        meter = self.meters.of(contract).start
        days = np.arange(first, first + due.segment.days)
        usual = (self.meters.fate[meter, first - _LOOKBACK_DAYS : days[-1] + 1] == ON_TIME).all()
        loaded = (self.meters.kwh[meter, first - _LOOKBACK_DAYS : days[-1] + 1] > 0).all()
        billed_on = self.erp.closes[month].invoice_date
        file = self.meters.file_after(datetime.combine(billed_on + timedelta(days=1), time(), UTC))
        if not (usual and loaded) or file is None or self._changed_history(meter, first):
            return None
        chosen = [int(day) for day in sorted(self.rng.choice(days, size=int(self.rng.integers(6, 13)), replace=False))]
        missing = cause == "late_meter" and self.rng.random() < 0.5
        factor = float(self.rng.uniform(0.4, 0.7))
        overrides, seen = [], 0
        for day in chosen:
            final = int(self.meters.kwh[meter, day])
            then = self._gap_estimate(meter, day, set(chosen)) if missing else round(final * factor)
            sent = None if missing else then
            kind = "estimated" if cause == "estimated_meter" else "actual"
            overrides.append(Override(meter, day, sent, kind, file))
            seen += then - final
        wrong = energy_charge(due.segment, due.kwh + seen)
        if abs(wrong.amount - due.amount) < 5_000:
            return None
        return self._wrong(place, cause, wrong, cure, overrides)

    def _changed_history(self, meter: int, first: int) -> bool:
        return any(abs(day - first) < 100 for day in self._overridden.get(meter, []))

    def _gap_estimate(self, meter: int, day: int, gaps: set[int]) -> int:
        """Estimate a day as the specification says: from the same weekdays before it, else from all days before it."""
        before = [each for each in range(day - _LOOKBACK_DAYS, day) if each not in gaps]
        same = [each for each in before if (day - each) % 7 == 0]
        basis = same if len(same) >= 2 else before
        return rounded(sum(int(self.meters.kwh[meter, each]) for each in basis), len(basis))

    # Look-alikes, power, bad rows

    def _plan_look_alikes(self, kind: str, month: date, count: int) -> None:
        if not count:
            return
        if kind == "amendment_in_two_lines":
            amended = [
                (contract, month, "power")
                for contract in range(len(self.world.contracts))
                if len(self._contract((contract, month, "")).in_month(month)) > 1 and (contract, month) not in self._taken
            ]
            for number in self.rng.permutation(len(amended))[:count]:
                self._note_look_alike(kind, amended[int(number)])
            return
        for place in self._places(month):
            if not self._whole_month(place) or (kind == "two_equal_rack_lines") != (place[2] == "rack"):
                continue
            if kind == "two_equal_rack_lines" and self._charge(place).quantity // MICRO % 2:
                continue
            self._note_look_alike(kind, place)
            make: Callable[[Place], Holder] = getattr(self, f"_look_{kind}")
            self.held[place] = make(place)
            count -= 1
            if not count:
                return

    def _note_look_alike(self, kind: str, place: Place) -> None:
        contract, month, name = place
        self._taken.add((contract, month))
        self._taken_rows.add(place)
        self.look_alikes.append(
            {
                "month": months.label(month),
                "recon": RECON_BILLING,
                "customer_id": self.world.customers[self._contract(place).customer].customer_id,
                "contract_id": self._contract(place).contract_id,
                "charge_type": name,
                "kind": kind,
            }
        )

    def _look_credit_and_rebill(self, place: Place) -> Holder:
        def hold(document: str, charges: list[Charge], at: datetime) -> None:
            contract, month = self._contract(place), place[1]
            close = self.erp.closes[month]
            self.erp.post(contract, month, charges[0], at, document=document, invoice_date=close.invoice_date)
            again = close.at(0.7)
            credit, rebill = self.erp.document("CM", again.date()), self.erp.document("RB", again.date())
            self.erp.post(contract, month, charges[0], again, document=credit, credit=True, corrects=document)
            self.erp.post(contract, month, charges[0], again, document=rebill)

        return hold

    def _look_two_equal_rack_lines(self, place: Place) -> Holder:
        def hold(document: str, charges: list[Charge], at: datetime) -> None:
            quantity = charges[0].quantity // 2
            half = replace(charges[0], quantity=quantity, amount=amount_of(quantity, charges[0].unit_price))
            day = self.erp.closes[place[1]].invoice_date
            for _ in range(2):
                self.erp.post(self._contract(place), place[1], half, at, document=document, invoice_date=day)

        return hold

    def _look_offsetting_errors(self, place: Place) -> Holder:
        def hold(document: str, charges: list[Charge], at: datetime) -> None:
            contract, month = self._contract(place), place[1]
            close = self.erp.closes[month]
            added = amount_of(charges[0].quantity, 5 * MICRO)
            wrong = replace(charges[0], unit_price=charges[0].unit_price + 5 * MICRO, amount=charges[0].amount + added)
            self.erp.post(contract, month, wrong, at, document=document, invoice_date=close.invoice_date)
            back = Charge(place[2], -MICRO, added * 10_000, -added, charges[0].segment)
            self.erp.post(contract, month, back, close.at(0.6), document=self.erp.document("INV", close.at(0.6).date()))

        return hold

    def _plan_power(self, recent: Sequence[date]) -> None:
        """Spread the faults of power bookings, so that with several sites at least one is right each month."""
        sites = len(self.world.sites)
        for number, month in enumerate(recent):
            kinds = [kind for kind in POWER_KINDS for _ in range(self._count(self.plan.open.get(kind, 0)))]
            kinds = kinds[number % max(len(kinds), 1) :] + kinds[: number % max(len(kinds), 1)]
            chosen = self.rng.permutation(sites)[: max(sites - 1, 1)]
            for site, kind in zip(chosen, kinds, strict=False):
                self.power_faults[int(site), month] = kind

    def _plan_bad_readings(self) -> None:
        for month in self.world.months:
            first = (month - self.world.first).days
            kinds = ("negative kWh", "kWh above peak", "unknown contract")
            for _ in range(self._count(self.plan.bad_readings)):
                meter = int(self.rng.integers(len(self.meters.contract)))
                day = first + int(self.rng.integers(months.days_in(month)))
                if self.meters.present[meter, day] and self.meters.kwh[meter, day] > 0:
                    self.bad_readings.append(BadReading(meter, day, kinds[int(self.rng.integers(len(kinds)))]))

    def note_bad_row(self, batch: str, file: str | None, row: int | None, fault: str) -> None:
        """Remember a row that cannot be used and where it stands, or a whole batch without file and row."""
        self.bad_rows.append({"batch_id": batch, "file_name": file, "row_number": row, "fault": fault})

    def post_after_billing(self) -> None:
        """Post what comes beside the invoices."""
        for fault in self.faults:
            if fault.add:
                fault.add(fault)

    # The truth

    def truth(self) -> list[dict[str, Any]]:
        """Return the rows of ``faults.csv``: every end of every fault, and every late line."""
        rows: list[dict[str, Any]] = []
        for fault in self.faults:
            rows += [self._billing_row(end, "current", fault.planted_at, fault.cured_at, fault.cured_by) for end in fault.ends]
        last = {(line.document_id, line.line_no): line for _, line in sorted(self.erp.shown, key=lambda each: each[0])}
        for line in last.values():
            rows += self._late_row(line)
        return rows + self._power_rows()

    def _late_row(self, line: Line) -> list[dict[str, Any]]:
        if line.posted_at <= self.erp.closes[line.service_month].cutoff:
            return []
        end = End(line.service_month, line.customer, line.contract, line.charge_type, -line.amount, "late_posting")
        return [self._billing_row(end, "as_of_close", line.posted_at, None, "")]

    def _billing_row(
        self, end: End, view: str, planted_at: datetime | None, cured_at: datetime | None, cured_by: str
    ) -> dict[str, Any]:
        return {
            "month": months.label(end.month),
            "recon": RECON_BILLING,
            "customer_id": None if end.customer is None else self.world.customers[end.customer].customer_id,
            "contract_id": None if end.contract is None else self.world.contracts[end.contract].contract_id,
            "charge_type": end.charge_type,
            "cause": end.cause,
            "cents": end.cents,
            "planted_in_batch": self._batch("erp_invoices", planted_at),
            "cured_by_batch": self._batch(cured_by, cured_at),
            "cured_at": None if cured_at is None else instant_text(cured_at),
            "view": view,
        }

    def _batch(self, source: str, instant: datetime | None) -> str | None:
        if instant is None:
            return None
        extract = self.mapping_extract(instant) if source == "erp_mapping" else self.erp.extract_of(instant)
        return batch_id(STREAM, source, extract + EXTRACT_TRAVELS)

    def mapping_extract(self, instant: datetime) -> datetime:
        """Return the first extract of the mapping that shows what was entered at an instant."""
        return next(close.extracts[1] for close in self.erp.closes.values() if close.extracts[1] >= instant)

    def _power_rows(self) -> list[dict[str, Any]]:
        rows = []
        for early, final in self.bills:
            kind = self.power_faults.get((early.site, early.month))
            if kind:
                cents = power_variance(early, final, kind)
                close = self.erp.closes[early.month]
                rows.append(self._power_row(early.site, early.month, kind, cents, "current", close.extracts[1]))
        late = [each for each in self.bookings if each.posted_at > self.erp.closes[each.month].cutoff]
        return rows + [
            self._power_row(each.site, each.month, "late_posting", -each.amount, "as_of_close", each.posted_at) for each in late
        ]

    def _power_row(self, site: int, month: date, cause: str, cents: int, view: str, planted_at: datetime) -> dict[str, Any]:
        extract = self.erp.extract_of(planted_at)
        return {
            "month": months.label(month),
            "recon": RECON_POWER,
            "site_id": self.world.sites[site].site_id,
            "cause": cause,
            "cents": cents,
            "planted_in_batch": batch_id(STREAM, "erp_power_costs", extract + EXTRACT_TRAVELS),
            "view": view,
        }
