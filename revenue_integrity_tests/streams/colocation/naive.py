"""The rules of days, meters and run-rates once more, day by day in plain Python: slow, and easy to compare with the spec.

Belongs here: what property tests compare the queries with. Shares no code with the product.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

LOOK_BACK = 28
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Version:
    """A contract version: the days it covers, and what property tests vary."""

    contract_id: str
    version: int
    first: date
    last: date | None
    active: bool
    racks: int
    kw: Decimal
    rack_price: Decimal
    kw_price: Decimal
    customer_id: str = "CU-1"


@dataclass(frozen=True)
class Reading:
    """An accepted, winning reading."""

    meter_id: str
    contract_id: str
    day: date
    kwh: Decimal
    peak_kw: Decimal
    actual: bool


@dataclass(frozen=True)
class Usage:
    """A day of a contract as meter_daily holds it."""

    kwh: Decimal
    peak_kw: Decimal
    meters: int
    estimated_kwh: Decimal
    is_estimated: bool
    is_suspect: bool


def days(first: date, last: date) -> Iterator[date]:
    """Yield each day."""
    while first <= last:
        yield first
        first += DAY


def in_force(versions: Sequence[Version], contract_id: str, day: date) -> Version | None:
    """Return the version in force on a day, or none where there is no service."""
    covering = [
        each
        for each in versions
        if each.contract_id == contract_id and each.first <= day and (each.last is None or day <= each.last)
    ]
    highest = max(covering, key=lambda each: each.version, default=None)
    return highest if highest and highest.active else None


def rounded(value: Decimal, places: str) -> Decimal:
    """Round half away from zero."""
    return value.quantize(Decimal(places), ROUND_HALF_UP)


def run_rate(version: Version | None) -> int:
    """Return the MRR in cents of the version in force."""
    if version is None:
        return 0
    parts = (version.racks * version.rack_price, version.kw * version.kw_price)
    return sum(int(rounded(part * 100, "1")) for part in parts)


def usage(versions: Sequence[Version], readings: Sequence[Reading], contract_id: str, day: date) -> Usage | None:
    """Return the usage of a contract on a day, or none where there is no service."""
    terms = in_force(versions, contract_id, day)
    if terms is None:
        return None
    own = [each for each in readings if each.contract_id == contract_id]
    meters = sorted({each.meter_id for each in own if each.day <= day})
    default = (terms.kw * 24 * Decimal("0.6"), terms.kw * Decimal("0.6"))
    if not meters:
        kwh, peak = (rounded(value, "0.001") for value in default)
        return Usage(kwh, peak, 0, kwh, True, False)
    before = [each for each in own if day - LOOK_BACK * DAY <= each.day < day]
    read = {each.meter_id: each for each in own if each.day == day}
    parts: list[tuple[Decimal, Decimal, bool, bool]] = []
    for meter in meters:
        history = [each for each in before if each.meter_id == meter]
        actuals = [each for each in history if each.actual]
        if meter in read:
            reading = read[meter]
            parts.append((reading.kwh, reading.peak_kw, not reading.actual, reading.actual and _suspect(reading, actuals)))
            continue
        if not history and any(each.meter_id != meter for each in before):
            continue
        weekday = [each for each in actuals if each.day.weekday() == day.weekday()]
        basis = weekday if len(weekday) >= 2 else actuals
        if basis:
            kwh = sum((each.kwh for each in basis), Decimal(0)) / len(basis)
            peak = sum((each.peak_kw for each in basis), Decimal(0)) / len(basis)
        else:
            kwh, peak = (value / len(meters) for value in default)
        parts.append((rounded(kwh, "0.001"), rounded(peak, "0.001"), True, False))
    zero = Decimal(0)
    return Usage(
        sum((part[0] for part in parts), zero),
        sum((part[1] for part in parts), zero),
        len(parts),
        sum((part[0] for part in parts if part[2]), zero),
        any(part[2] for part in parts) or not parts,
        any(part[3] for part in parts),
    )


def _suspect(reading: Reading, actuals: Sequence[Reading]) -> bool:
    values = sorted(each.kwh for each in actuals)
    if len(values) < 7:
        return False
    middle = len(values) // 2
    median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    return reading.kwh > 3 * median
