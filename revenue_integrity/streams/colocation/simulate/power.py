"""Power: what the supplier bills each site, and what accounting books for it.

Belongs here: bills, accruals, reversals, and the faults of these bookings. Does not belong here: invoices to customers.
Amounts are integers in cents.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from revenue_integrity import months
from revenue_integrity.streams.colocation.simulate.billing import Close
from revenue_integrity.streams.colocation.simulate.metering import Meters
from revenue_integrity.streams.colocation.simulate.world import World


@dataclass(frozen=True)
class Bill:
    """A power bill."""

    bill_id: str
    site: int
    month: date
    version: int
    kwh: int
    charges: tuple[int, int, int, int]
    issued_on: date

    @property
    def total(self) -> int:
        """What the bill adds up to."""
        return sum(self.charges)

    @property
    def status(self) -> str:
        """Whether the supplier read or estimated."""
        return "estimated" if self.version == 1 else "final"


@dataclass(frozen=True)
class Booking:
    """A line that accounting booked for power."""

    document_id: str
    document_type: str
    site: int
    month: date
    amount: int
    posted_at: datetime


def estimate_arrival(month: date) -> datetime:
    """Return when the estimated bills of a month arrive."""
    return datetime.combine(months.add(month, 1) + timedelta(days=2), time(9, 0), UTC)


def final_arrival(month: date) -> datetime:
    """Return when the final bills of a month arrive."""
    return datetime.combine(months.add(month, 1) + timedelta(days=19), time(9, 0), UTC)


def power_bills(world: World, meters: Meters, seed: int) -> list[tuple[Bill, Bill]]:
    """Return the estimated and the final bill of every site and month."""
    rng = np.random.default_rng([seed, 4])
    sites, count = len(world.sites), len(world.months)
    daily = np.zeros((sites, meters.kwh.shape[1]), dtype=np.int64)
    site_of = np.array([contract.site for contract in world.contracts], dtype=np.int64)
    np.add.at(daily, site_of[meters.contract], np.where(meters.present, meters.kwh, 0))
    overhead = rng.uniform(1.22, 1.55, sites)
    # Most months are near the mean; a few are dear, as on real markets.
    level = np.exp(0.12 * rng.standard_normal((sites, count)) + 0.25 * (rng.random((sites, count)) < 0.08))
    price = np.clip(rng.uniform(0.07, 0.11, sites)[:, None] * level, 0.06, 0.18)
    demand = rng.uniform(4, 22, sites)
    found = []
    for number, month in enumerate(world.months):
        first = (month - world.first).days
        for site in range(sites):
            season = 1 + 0.02 * np.sin(2 * np.pi * (month.month - 4) / 12)
            metered = int(daily[site, first : first + months.days_in(month)].sum())
            kwh = round(metered * overhead[site] * season)
            energy = round(kwh * price[site, number] / 10)
            peak_kw = kwh / 1000 / 24 / months.days_in(month) * 1.12
            charges = (energy, round(peak_kw * demand[site] * 100), 250_000 + 50_000 * site)
            final = (*charges, round(sum(charges) * 0.06))
            guess = float(rng.uniform(0.93, 1.07))
            estimated = (round(energy * guess), round(charges[1] * guess), charges[2], round(sum(charges) * guess * 0.06))
            following = months.add(month, 1)
            bill_id = f"PB-{month:%y%m}-{site + 1:02d}"
            early = Bill(bill_id, site, month, 1, round(kwh * guess), estimated, following + timedelta(days=1))
            found.append((early, Bill(bill_id, site, month, 2, kwh, final, following + timedelta(days=18))))
    return found


def book_power(
    bills: list[tuple[Bill, Bill]], closes: Mapping[date, Close], faults: Mapping[tuple[int, date], str]
) -> list[Booking]:
    """Book each month's power: an accrual at the close, then its reversal and the bill; or what a fault leaves of that."""
    found = []
    for early, final in bills:
        fault = faults.get((early.site, early.month))
        close = closes[early.month]
        number = f"{early.month:%y%m}-{early.site + 1:02d}"
        accrued, billed = close.at(0.8), close.extracts[2] - timedelta(hours=12)
        if fault != "unbooked":
            found.append(Booking(f"AC-{number}", "accrual", early.site, early.month, early.total, accrued))
        if fault not in ("unbooked", "accrual_not_reversed", "estimated_bill"):
            found.append(Booking(f"RV-{number}", "reversal", early.site, early.month, -early.total, billed))
        if fault not in ("unbooked", "estimated_bill"):
            found.append(Booking(f"AP-{number}", "bill", early.site, early.month, final.total, billed))
    return found


def power_variance(early: Bill, final: Bill, fault: str) -> int:
    """Return booked minus billed cents that a fault leaves."""
    return {"unbooked": -final.total, "accrual_not_reversed": early.total, "estimated_bill": early.total - final.total}[fault]


def kwh_text(kwh: int) -> str:
    """Return thousandths of a kWh as text."""
    return f"{kwh // 1000}.{kwh % 1000:03d}"
