"""FOCUS exports of the providers, additions to them, and their invoices, month by month.

Belongs here: charges, what goes wrong with their exports, invoices that tie to them. Does not belong here: billing events.

An export holds the month so far and replaces the one before; the last one, after the month's end, names the invoice. A
delivery of additions comes with its own credit or debit note, so that each invoice ties to its charges, unless a difference
was planted. Costs are integers of 10**-12 currency units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity import months
from revenue_integrity.streams.cloud.simulate.events import decimal_texts
from revenue_integrity.streams.cloud.simulate.plan import INVOICE_KINDS, RECENT_ONLY, Plan
from revenue_integrity.streams.cloud.simulate.world import (
    COST_PLACES,
    NO_REGION,
    NO_TENANT,
    PICO,
    PRICE,
    PRICES,
    PROVIDERS,
    QUANTITY,
    REGIONS,
    SERVICES,
    Provider,
)
from revenue_integrity.streams.simulating import CSV, PARQUET, Zone, decimal_text, exact_decimals, text_table

FOCUS, DELTA, INVOICES = "focus", "focus_delta", "cloud_invoices"

INVOICE_COLUMNS = ("invoice_id", "provider", "billing_period", "amount", "currency")

_WEEKLY = (8, 15, 22, 29)
"""Days on which a weekly export shows the month up to the day before."""

_FINAL_DAY, _INVOICE_DAY, _DELTA_DAY = 4, 5, 12
"""Days of the next month: of the last export, the invoices, and additions to what was invoiced."""

_VERSIONS = ("1.0", "1.2", "1.3")
"""Versions of the standard that the providers go through, in equal parts of the time."""

_TAX_PERCENT = 2

_IMPOSSIBLE = "-31T24:61:00Z"
"""End of an instant that no calendar has."""


@dataclass(frozen=True)
class Charge:
    """A row of an export."""

    day: date
    until: date
    account: str | None
    service: str
    region: str | None
    billed: int
    effective: int
    pricing: str | None = "Standard"
    category: str = "Usage"
    correction: bool = False
    description: str = ""


@dataclass
class Month:
    """What a provider charges for a billing period, and what its exports show of it.

    Attributes:
        charges: what stands in the end.
        early: what an export before the last one shows instead of a charge, by its place; ``None`` stands for the charge itself.
        withdrawn: charges that only exports before the last one hold.
    """

    provider: Provider
    period: date
    charges: list[Charge]
    early: dict[int, Charge] = field(default_factory=dict)
    withdrawn: list[Charge] = field(default_factory=list)

    @property
    def invoice_id(self) -> str:
        """The number of the invoice."""
        return f"{self.provider.invoice}-{self.period:%Y%m}"

    def until(self, day: date) -> list[Charge]:
        """Return what an export shows that ends before a day."""
        shown = [self.early.get(number, charge) for number, charge in enumerate(self.charges)]
        return [charge for charge in [*shown, *self.withdrawn] if charge.day < day and charge.category in ("Usage", "Purchase")]


class Exporter:
    """The providers' exports and invoices.

    Attributes:
        standing: every charge that counts in the end, with its provider.
        planted: rows of the truth.
    """

    def __init__(self, wanted: Sequence[date], plan: Plan, currency: str, seed: int) -> None:
        self.wanted, self.plan, self.currency = wanted, plan, currency
        self.recent = set(wanted[len(wanted) - min(plan.recent_months, len(wanted)) :])
        self.rng = np.random.default_rng([seed, 106])
        self.standing: list[tuple[Provider, Charge]] = []
        self.planted: list[dict[str, Any]] = []
        self._notes: dict[date, list[dict[str, Any]]] = {}

    def send(self, zone: Zone) -> None:
        """Write all batches."""
        for month in self.wanted:
            of_month = [self._charges(provider, month) for provider in PROVIDERS]
            for number, each in enumerate(of_month):
                self._send_month(each, timedelta(minutes=20 * number), zone)
            self._send_invoices(month, of_month, zone)

    def _count(self, kind: str, month: date, kinds: dict[str, float]) -> int:
        wanted = kinds.get(kind, 0)
        count = int(wanted) + int(self.rng.random() < wanted % 1)
        return count if kind not in RECENT_ONLY or month in self.recent else 0

    # What is charged

    def _charges(self, provider: Provider, month: date) -> Month:
        day_count = months.days_in(month)
        days = np.repeat(np.arange(day_count), provider.charges)
        size = len(days)
        shares = 0.6 ** np.arange(len(provider.services))
        service = self.rng.choice(len(provider.services), size=size, p=shares / shares.sum())
        account = np.arange(size) % len(provider.sub_accounts)
        region = self.rng.integers(len(REGIONS), size=size)
        passed = (month - self.wanted[0]).days + days
        weekend = np.array([(month + timedelta(days=day)).weekday() >= 5 for day in range(day_count)])[days]
        usual = provider.daily / provider.charges * 1.012 ** (passed / 30.4) * np.where(weekend, 0.7, 1.0)
        prices = np.array([PRICES[name] for name in provider.services])[service]
        spent = usual * self.rng.lognormal(-0.08, 0.4, size=size)
        cost = np.maximum(np.rint(spent * PRICE * QUANTITY / prices).astype(np.int64), 1) * prices
        committed = (self.rng.random(size) < 0.15) & (provider.commitment > 0)
        dynamic = ~committed & (self.rng.random(size) < 0.1)
        names = list(REGIONS)
        charges = []
        for row in range(size):
            name = provider.services[int(service[row])]
            day = month + timedelta(days=int(days[row]))
            charges.append(
                Charge(
                    day=day,
                    until=day + timedelta(days=1),
                    account=provider.sub_accounts[int(account[row])],
                    service=name,
                    region=None if name in NO_REGION else names[int(region[row])],
                    billed=0 if committed[row] else int(cost[row]),
                    effective=int(cost[row]) * 7 // 10 if committed[row] else int(cost[row]),
                    pricing="Committed" if committed[row] else "Dynamic" if dynamic[row] else "Standard",
                    description=f"{name} usage",
                )
            )
        return Month(provider, month, [*charges, *self._monthly(provider, month, charges)])

    def _monthly(self, provider: Provider, month: date, usage: Sequence[Charge]) -> list[Charge]:
        """Return what is charged once a month: a commitment, a credit, a refund of the month before, tax."""
        first, service = usage[0], provider.services[0]
        whole = replace(first, day=month, until=months.add(month, 1), account=None, service=service, region=None)
        found = []
        if provider.commitment:
            price = provider.commitment * PICO
            found.append(
                replace(whole, billed=price, effective=0, pricing="Committed", category="Purchase", description="Commitment")
            )
        credited = -int(self.rng.integers(50, 400)) * PICO // 10 - int(self.rng.integers(10**9))
        if self.rng.random() < 0.6:
            day = month + timedelta(days=int(self.rng.integers(months.days_in(month))))
            credit = replace(whole, day=day, until=day + timedelta(days=1), account=provider.sub_accounts[0])
            found.append(
                replace(
                    credit, billed=credited, effective=credited, pricing=None, category="Credit", description="Service credit"
                )
            )
        if month > self.wanted[0] and self.rng.random() < 0.25:
            day = month - timedelta(days=int(self.rng.integers(1, 15)))
            refund = replace(first, day=day, until=day + timedelta(days=1), billed=credited // 3, effective=credited // 3)
            found.append(replace(refund, correction=True, description="Refund of usage that was charged twice"))
        taxed = sum(charge.billed for charge in [*usage, *found])
        tax = taxed * _TAX_PERCENT // 100
        found.append(replace(whole, billed=tax, effective=tax, pricing=None, category="Tax", description="Tax"))
        return found

    # Exports

    def _send_month(self, month: Month, offset: timedelta, zone: Zone) -> None:
        self._plan_early(month)
        following = months.add(month.period, 1)
        if month.provider.weekly:
            last_delta = self._count("delta_replaced", month.period, self.plan.exports)
            for day in _WEEKLY:
                if day > months.days_in(month.period):
                    continue
                at = _at(month.period, day, 7) + offset
                self._export(month, month.until(month.period.replace(day=day)), None, at, zone)
                if day == _WEEKLY[1] and last_delta:
                    self._delta_replaced(month, at + timedelta(days=2), zone)
        final = _at(following, _FINAL_DAY, 8) + offset
        impossible = self._count("impossible_charge", month.period, self.plan.exports) if month.provider.form == CSV else 0
        batch = self._export(month, month.charges, month.invoice_id, final, zone, impossible=bool(impossible))
        if impossible:
            self._tell(FOCUS, "impossible_charge", month, month.charges[0], 0, batch, row=1)
            self._export(month, month.charges, month.invoice_id, final + timedelta(hours=9), zone)
        for number, early in month.early.items():
            charge = month.charges[number]
            self._tell(FOCUS, "overwritten", month, charge, charge.billed - early.billed, batch)
        for charge in month.withdrawn:
            self._tell(FOCUS, "omission", month, charge, -charge.billed, batch)
        self.standing += [(month.provider, charge) for charge in month.charges]
        if self._count("redelivered", month.period, self.plan.exports):
            again = self._export(month, month.charges, month.invoice_id, final + timedelta(days=1), zone)
            self._tell(FOCUS, "redelivered", month, None, 0, again)
        if self._count("delta", month.period, self.plan.exports):
            self._delta(month, _at(following, _DELTA_DAY, 10) + offset, zone)

    def _plan_early(self, month: Month) -> None:
        """Choose what exports before the last one show otherwise: another cost, or a charge that is withdrawn later."""
        if not month.provider.weekly:
            return
        places = [number for number, charge in enumerate(month.charges) if charge.category == "Usage" and charge.day.day < 22]
        places = [number for number in places if month.charges[number].billed and not month.charges[number].correction]
        for number in self.rng.permutation(places)[: self._count("overwritten", month.period, self.plan.exports)]:
            charge = month.charges[int(number)]
            wrong = charge.billed // 100 * int(self.rng.integers(105, 180))
            month.early[int(number)] = replace(charge, billed=wrong, effective=wrong)
        for number in self.rng.permutation(places)[: self._count("omission", month.period, self.plan.exports)]:
            month.withdrawn.append(replace(month.charges[int(number)], description="Usage that was never there"))

    def _export(
        self, month: Month, charges: Sequence[Charge], invoice: str | None, at: datetime, zone: Zone, *, impossible: bool = False
    ) -> str:
        version = self._version(month.period)
        table = _focus_table(month, charges, invoice, version, self.currency, month.provider.form, impossible=impossible)
        return zone.write(FOCUS, at, _file_name(month), table, month.provider.form)

    def _version(self, month: date) -> str:
        return _VERSIONS[self.wanted.index(month) * len(_VERSIONS) // len(self.wanted)]

    # Additions

    def _delta(self, month: Month, at: datetime, zone: Zone) -> None:
        """Correct a charge after the invoice, with a note of its own."""
        usage = [charge for charge in month.charges if charge.category == "Usage" and charge.billed and not charge.correction]
        charge = usage[int(self.rng.integers(len(usage)))]
        less = -(charge.billed // 100 * int(self.rng.integers(10, 60)))
        more = charge.billed // 100 * int(self.rng.integers(1, 9))
        note = f"{month.invoice_id}-N1"
        rows = [
            replace(charge, billed=amount, effective=amount, correction=True, description=text)
            for amount, text in ((less, "Correction after the invoice"), (more, "Usage that was reported late"))
        ]
        batch = self._send_delta(month, rows, note, at, zone)
        for number, row in enumerate(rows):
            self._tell(DELTA, "delta", month, row, row.billed, batch, row=number + 1)
        self.standing += [(month.provider, row) for row in rows]
        amount = decimal_text(less + more, COST_PLACES)
        zone.write(INVOICES, at + timedelta(hours=1), "notes", text_table(INVOICE_COLUMNS, [self._invoice(month, note, amount)]))

    def _delta_replaced(self, month: Month, at: datetime, zone: Zone) -> None:
        """Add a charge to an export that the next export replaces."""
        charge = replace(month.charges[0], billed=PICO + 7, effective=PICO + 7, description="Usage that was reported late")
        batch = self._send_delta(month, [charge], None, at, zone)
        self._tell(DELTA, "delta_replaced", month, charge, 0, batch, row=1)

    def _send_delta(self, month: Month, rows: Sequence[Charge], invoice: str | None, at: datetime, zone: Zone) -> str:
        table = _focus_table(month, rows, invoice, self._version(month.period), self.currency, CSV)
        return zone.write(DELTA, at, f"{_file_name(month)}_delta", table)

    # Invoices

    def _invoice(self, month: Month, invoice: str, amount: str) -> dict[str, str]:
        return {
            "invoice_id": invoice,
            "provider": month.provider.name,
            "billing_period": months.label(month.period),
            "amount": amount,
            "currency": self.currency,
        }

    def _send_invoices(self, period: date, of_month: Sequence[Month], zone: Zone) -> None:
        at = _at(months.add(period, 1), _INVOICE_DAY, 9)
        planted = self._invoice_faults(period)
        rows, told = [], []
        for number, month in enumerate(of_month):
            charged = sum(charge.billed for charge in month.charges)
            kind, invoice = planted.get(number), month.invoice_id
            amount: int | None = charged
            if kind == "amount_differs":
                amount = charged + int(self.rng.integers(5, 90)) * PICO + int(self.rng.integers(PICO))
            elif kind == "rounded":
                amount = (charged + 5 * 10**9) // 10**10 * 10**10
            elif kind == "invoice_missing":
                amount = None
            elif kind == "charges_missing":
                extra = int(self.rng.integers(20, 200)) * PICO
                rows.append(self._invoice(month, f"{invoice}-X", decimal_text(extra, COST_PLACES)))
                told.append((month, kind, f"{invoice}-X", -extra))
            if amount is not None:
                rows.append(self._invoice(month, invoice, decimal_text(amount, COST_PLACES)))
            if kind and kind != "charges_missing":
                told.append((month, kind, invoice, charged - (amount or 0)))
        if rows:
            # Invoicing says with each run that it is done with the month before: what is not there by now was never invoiced.
            covers = f"{months.label(months.add(period, -1))}:{months.label(period)}"
            batch = zone.write(INVOICES, at, "invoices", text_table(INVOICE_COLUMNS, rows), covers=covers)
        for month, kind, invoice, difference in told:
            self._tell(INVOICES, kind, month, None, difference, batch if rows else "", invoice=invoice)

    def _invoice_faults(self, period: date) -> dict[int, str]:
        """Return which provider's invoice is off and how; one of them is right, as long as there are several."""
        if period not in self.recent:
            return {}
        kinds = [kind for kind in INVOICE_KINDS for _ in range(self._count(kind, period, self.plan.invoices))]
        turn = 2 * self.wanted.index(period) % max(len(kinds), 1)
        chosen = self.rng.permutation(len(PROVIDERS))[: len(PROVIDERS) - 1]
        return {int(number): kind for number, kind in zip(chosen, [*kinds[turn:], *kinds[:turn]], strict=False)}

    def _tell(
        self,
        source: str,
        kind: str,
        month: Month,
        charge: Charge | None,
        effect: int,
        batch: str,
        *,
        row: int | None = None,
        invoice: str | None = None,
    ) -> None:
        self.planted.append(
            {
                "month": months.label(charge.day.replace(day=1) if charge else month.period),
                "source": source,
                "tenant_id": NO_TENANT if charge else None,
                "account_id": (charge.account or month.provider.billing_account) if charge else None,
                "invoice_id": invoice or (f"{month.invoice_id}-N1" if kind == "delta" else None),
                "usage_date": charge.day.isoformat() if charge else None,
                "kind": kind,
                "cost_effect": decimal_text(effect, COST_PLACES),
                "planted_in_batch": batch,
                "file_name": _sent_as(source, month),
                "row_number": row,
            }
        )


def _sent_as(source: str, month: Month) -> str:
    if source == INVOICES:
        return f"invoices.{CSV}"
    return f"{_file_name(month)}_delta.{CSV}" if source == DELTA else f"{_file_name(month)}.{month.provider.form}"


def _file_name(month: Month) -> str:
    return f"{month.provider.name.lower()}_{month.period:%Y%m}"


def _at(month: date, day: int, hour: int) -> datetime:
    return datetime.combine(month.replace(day=day), time(hour), UTC)


def _focus_table(
    month: Month,
    charges: Sequence[Charge],
    invoice: str | None,
    version: str,
    currency: str,
    form: str,
    *,
    impossible: bool = False,
) -> pa.Table:
    """Return charges with the column names of a version of the standard: exact types in Parquet, texts in CSV."""
    provider, typed = month.provider, form == PARQUET
    count = len(charges)
    null = pa.scalar(provider.null or None, pa.string()) if not typed else pa.scalar(None, pa.string())

    def texts(values: Sequence[str | None]) -> pa.Array:
        return pc.coalesce(pa.array(values, pa.string()), null)

    def same(value: str | None) -> pa.Array:
        return texts([value] * count)

    def costs(values: Sequence[int]) -> pa.Array:
        units = np.array(values, dtype=np.int64)
        return exact_decimals(units, COST_PLACES).cast(pa.decimal128(38, COST_PLACES)) if typed else decimal_texts(units)

    def instants(days: Sequence[date]) -> pa.Array:
        found = pa.array(days, pa.date32()).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
        return found if typed else pc.strftime(found.cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ")

    started = instants([charge.day for charge in charges])
    if impossible:
        text = f"{month.period:%Y-%m}{_IMPOSSIBLE}"
        started = pa.array([text, *started.to_pylist()[1:]], pa.string())
    columns = {
        "BilledCost": costs([charge.billed for charge in charges]),
        "BillingAccountId": same(provider.billing_account),
        "BillingCurrency": same(currency),
        "BillingPeriodEnd": instants([months.add(month.period, 1)] * count),
        "BillingPeriodStart": instants([month.period] * count),
        "ChargeCategory": texts([charge.category for charge in charges]),
        "ChargeClass": texts(["Correction" if charge.correction else None for charge in charges]),
        "ChargeDescription": texts([charge.description for charge in charges]),
        "ChargePeriodEnd": instants([charge.until for charge in charges]),
        "ChargePeriodStart": started,
        "EffectiveCost": costs([charge.effective for charge in charges]),
        # The standard has it since 1.2; these providers fill it from the beginning.
        "InvoiceId": same(invoice),
        "InvoiceIssuerName": same(provider.name),
        "PricingCategory": texts([charge.pricing for charge in charges]),
        "RegionId": texts([charge.region for charge in charges]),
        "ServiceCategory": texts([SERVICES[charge.service] for charge in charges]),
        "ServiceName": texts([charge.service for charge in charges]),
        "SubAccountId": texts([charge.account for charge in charges]),
    }
    names = ("HostProviderName", "ServiceProviderName") if version == "1.3" else ("ProviderName", "PublisherName")
    return pa.table({**columns, **{name: same(provider.name) for name in names}})
