"""Billing events day by day: what was used, what goes wrong on its way here, and the files that bring it.

Belongs here: usage, faults of billing events, their batches, what each account-day must cost in the end. Does not belong here:
FOCUS exports and invoices (``exports``), who there is (``world``).

A day's events come in the batch of that day, early on the next. A faulty row carries what it does to the cost of its day, so
that the truth is told by the rows that were really sent. Everything works on whole columns: a day may have millions of events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity import months
from revenue_integrity.streams.cloud.simulate.plan import BAD_KINDS, EVENT_KINDS, RECENT_ONLY, Plan
from revenue_integrity.streams.cloud.simulate.world import (
    ACCOUNTS,
    COST_PLACES,
    NO_TENANT,
    PICO,
    PRICE,
    PRICES,
    PRICING,
    QUANTITY,
    REGIONS,
    SERVICES,
    TENANTS,
    Lines,
)
from revenue_integrity.streams.simulating import CSV, PARQUET, Zone, exact_decimals

Integers = np.ndarray[Any, np.dtype[np.int64]]

SOURCE = "billing_events"

TAIL = 14
"""Days after the last usage day on which late rows still come."""

BEYOND = "beyond_lookback"

KINDS = (*EVENT_KINDS, BEYOND)

_SPREAD = 0.9
"""Spread (sigma) of the logarithm of an event's cost: a few events are most of the cost."""

_DAY = 86_400_000
"""Milliseconds of a day."""

_BEYOND_DAYS = 97
"""Days by which an event comes so late that it is kept aside: more than the lookback window."""

_EPOCH = date(1970, 1, 1)

_WRONG_CURRENCY = "XTS"
"""The code that ISO 4217 keeps for tests."""


@dataclass(frozen=True)
class Events:
    """Rows of billing events, one array per column.

    Attributes:
        origin: day on which the event was first told, by number; with ``number`` it is the event's id.
        number: number of the event within its tenant and day.
        account, service, region, pricing: indexes; a region of -1 is none.
        usage: usage day, by number.
        cost: in 10**-12 currency units.
        ingested: milliseconds since 1970.
        deleted: whether the row withdraws its event.
        kind: what is wrong with the row, an index of ``KINDS``; -1 for nothing.
        effect: what the row does to the cost of its usage day.
        left: the usage day that a moved event leaves, -1 for others.
    """

    origin: Integers
    number: Integers
    account: Integers
    service: Integers
    region: Integers
    pricing: Integers
    usage: Integers
    cost: Integers
    ingested: Integers
    deleted: Integers
    kind: Integers
    effect: Integers
    left: Integers

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: Any) -> "Events":
        """Return some rows."""
        return Events(*(getattr(self, each.name)[rows] for each in fields(self)))

    def marked(self, kind: str, effect: Integers | int = 0, **changes: Any) -> "Events":
        """Return the rows with a fault of one kind, and other changes."""
        full = np.zeros(len(self), dtype=np.int64)
        return replace(self, kind=full + KINDS.index(kind), effect=full + effect, **changes)


def together(parts: Sequence[Events]) -> Events:
    """Return the rows of several."""
    return Events(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Events)))


def decimal_texts(units: Integers) -> pa.Array:
    """Return integers of 10**-12 as decimal texts, without needless zeros."""
    absolute = np.abs(units)
    fraction = pc.utf8_rtrim(pc.utf8_lpad(pa.array(absolute % PICO).cast(pa.string()), COST_PLACES, "0"), "0")
    whole = pa.array(absolute // PICO).cast(pa.string())
    sign = pa.array(["", "-"]).take(pa.array((units < 0).astype(np.int64)))
    return pc.utf8_rtrim(pc.binary_join_element_wise(sign, whole, pa.scalar("."), fraction, ""), ".")


def _named(names: Sequence[str | None], indexes: Integers) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(indexes))


class Feed:
    """The system that sends billing events.

    Attributes:
        cost: what each account-day must cost in the end (accounts by days), in 10**-12 currency units.
        count: events of each account-day that count in the end.
    """

    def __init__(self, wanted: Sequence[date], lines: Lines, plan: Plan, events_per_day: int, currency: str, seed: int) -> None:
        self.first = wanted[0]
        self.days = (months.last_day(wanted[-1]) - self.first).days + 1
        self.lines, self.plan, self.events_per_day, self.currency, self.seed = lines, plan, events_per_day, currency, seed
        self.cost = np.zeros((len(ACCOUNTS), self.days), dtype=np.int64)
        self.count = np.zeros((len(ACCOUNTS), self.days), dtype=np.int64)
        self._wrong: list[tuple[Events, Integers, str, str]] = []
        self._sent_again: list[dict[str, Any]] = []
        self._tenant = np.array([account.tenant for account in ACCOUNTS])
        self._prices = np.array([PRICES[name] for name in SERVICES])
        self._per_day = self._plan_days(wanted)
        self._waiting: dict[int, list[Events]] = {}
        self._again: dict[int, tuple[str, pa.Table, str, str]] = {}
        minutes = np.random.default_rng([seed, 102]).integers(120, 360, size=self.days + TAIL)
        self._arrivals = [self._midnight(day + 1) + timedelta(minutes=int(each)) for day, each in enumerate(minutes)]
        self._rng = np.random.default_rng([seed, 103])

    def _date(self, day: int) -> date:
        return self.first + timedelta(days=day)

    def _midnight(self, day: int) -> datetime:
        return datetime.combine(self._date(day), time(), UTC)

    def _form(self, batch: int) -> str:
        """Return the format of a batch: usually Parquet; at the weekend an older job sends CSV."""
        return CSV if self._date(batch).weekday() >= 5 else PARQUET

    # How much

    def _plan_days(self, wanted: Sequence[date]) -> dict[str, Integers]:
        """Return how many faults of each kind each day has."""
        rng = np.random.default_rng([self.seed, 104])
        found = {kind: np.zeros(self.days, dtype=np.int64) for kind in KINDS}
        recent = wanted[len(wanted) - min(self.plan.recent_months, len(wanted)) :]
        for month in wanted:
            start = (month - self.first).days
            numbers = np.arange(start, start + months.days_in(month))
            by_hand = numbers[[self._form(int(day)) == CSV for day in numbers]]
            for kind in EVENT_KINDS:
                wanted_count = self.plan.events.get(kind, 0)
                count = int(wanted_count) + int(rng.random() < wanted_count % 1)
                # An impossible instant can only be written where instants are text.
                days = rng.choice(by_hand if kind == "impossible_timestamp" else numbers, size=count)
                if kind not in RECENT_ONLY or month in recent:
                    np.add.at(found[kind], days, 1)
        reach = self.days - _BEYOND_DAYS - 1
        if reach > 0:
            for number in range(self.plan.beyond_lookback):
                found[BEYOND][reach * (number + 1) // (self.plan.beyond_lookback + 1)] += 1
        return found

    # What was used

    def _usage(self, day: int) -> Events:
        rng = np.random.default_rng([self.seed, 105, day])
        lines = self.lines
        weekend = self._date(day).weekday() >= 5
        counts = rng.multinomial(rng.poisson(self.events_per_day * (0.85 if weekend else 1.06)), lines.weight)
        line = np.repeat(np.arange(len(counts)), counts)
        level = np.array([(each.weekend if weekend else 1.0) * (1 + each.growth) ** (day / 30.4) for each in ACCOUNTS])
        usual = lines.daily * level[lines.account] / (lines.weight * self.events_per_day)
        price = self._prices[lines.service[line]]
        spent = usual[line] * rng.lognormal(-_SPREAD * _SPREAD / 2, _SPREAD, size=len(line))
        quantity = np.clip(np.rint(spent * PRICE * QUANTITY / price).astype(np.int64), 1, 9 * 10**17 // price)
        account = lines.account[line]
        number = np.empty(len(line), dtype=np.int64)
        for tenant in range(len(TENANTS)):
            # Each tenant counts its own events: the same id stands in several tenants.
            chosen = self._tenant[account] == tenant
            number[chosen] = np.arange(int(chosen.sum()))
        full = np.zeros(len(line), dtype=np.int64)
        return Events(
            origin=full + day,
            number=number,
            account=account,
            service=lines.service[line],
            region=lines.region[line],
            pricing=lines.pricing[line],
            usage=full + day,
            cost=quantity * price,
            ingested=self._taken_in(rng, full + day),
            deleted=full,
            kind=full - 1,
            effect=full,
            left=full - 1,
        )

    def _taken_in(self, rng: np.random.Generator, batch: Integers) -> Integers:
        """Return an instant at which rows of a batch were taken in: before the batch was closed."""
        start = ((self.first - _EPOCH).days + batch) * _DAY
        return start + rng.integers(5 * 60_000, _DAY + 80 * 60_000, size=len(batch))

    # What goes wrong

    def _plant(self, day: int, rows: Events) -> list[Events]:
        """Take the day's faults out of its rows; return what its own batch holds, and let the rest wait."""
        wanted = [(kind, int(self._per_day[kind][day])) for kind in KINDS if kind != "redelivered" and self._per_day[kind][day]]
        total = min(sum(count for _, count in wanted), len(rows))
        if not total:
            return [rows]
        chosen = self._rng.choice(len(rows), size=total, replace=False)
        rest = np.ones(len(rows), dtype=bool)
        rest[chosen] = False
        parts, begin = [rows.take(rest)], 0
        for kind, count in wanted:
            picked = rows.take(chosen[begin : begin + count])
            begin += count
            if len(picked):
                parts += self._bad(kind, day, picked) if kind in BAD_KINDS else getattr(self, f"_{kind}")(day, picked)
        return parts

    def _later(self, day: int, count: int, low: int, high: int) -> Integers:
        """Return a later batch for each of some rows."""
        return np.minimum(day + self._rng.integers(low, high + 1, size=count), self.days + TAIL - 1)

    def _wait(self, batches: Integers, rows: Events) -> None:
        for batch in np.unique(batches):
            self._waiting.setdefault(int(batch), []).append(rows.take(batches == batch))

    def _add(self, rows: Events, cost: Integers, count: int = 0) -> None:
        np.add.at(self.cost, (rows.account, rows.usage), cost)
        np.add.at(self.count, (rows.account, rows.usage), count)

    def _changed(self, rows: Events) -> Integers:
        """Return another cost for each of some events."""
        percent = self._rng.integers(40, 160, size=len(rows))
        return np.maximum(rows.cost // 100 * np.where(percent == 100, 90, percent), 1)

    def _late(self, day: int, rows: Events) -> list[Events]:
        often = self._later(day, len(rows), 1, 6)
        batches = np.where(self._rng.random(len(rows)) < 0.1, self._later(day, len(rows), 20, 60), often)
        self._wait(batches, rows.marked("late", rows.cost, ingested=self._taken_in(self._rng, batches)))
        return []

    def _beyond_lookback(self, day: int, rows: Events) -> list[Events]:
        self._add(rows, -rows.cost, -1)
        batches = np.full(len(rows), day + _BEYOND_DAYS)
        self._wait(batches, rows.marked(BEYOND, ingested=self._taken_in(self._rng, batches)))
        return []

    def _out_of_order(self, day: int, rows: Events) -> list[Events]:
        """Send the second version first."""
        second = replace(rows, cost=self._changed(rows), ingested=rows.ingested + self._rng.integers(60_000, 900_000, len(rows)))
        self._add(rows, second.cost - rows.cost)
        self._wait(self._later(day, len(rows), 1, 5), rows.marked("out_of_order"))
        return [second]

    def _duplicate(self, day: int, rows: Events) -> list[Events]:
        self._wait(self._later(day, len(rows), 0, 4), rows.marked("duplicate"))
        return [rows]

    def _correction(self, day: int, rows: Events) -> list[Events]:
        batches, cost = self._later(day, len(rows), 1, 40), self._changed(rows)
        self._add(rows, cost - rows.cost)
        changes = {"cost": cost, "ingested": self._taken_in(self._rng, batches)}
        self._wait(batches, rows.marked("correction", cost - rows.cost, **changes))
        return [rows]

    def _conflict(self, day: int, rows: Events) -> list[Events]:
        """Send another cost under the same instant of ingestion."""
        cost = self._changed(rows)
        self._add(rows, cost - rows.cost)
        self._wait(self._later(day, len(rows), 1, 3), rows.marked("conflict", cost - rows.cost, cost=cost))
        return [rows]

    def _moved(self, day: int, rows: Events) -> list[Events]:
        back = rows.usage - self._rng.integers(1, 4, size=len(rows))
        usage = np.where(back >= 0, back, np.minimum(rows.usage + 1, self.days - 1))
        batches = self._later(day, len(rows), 2, 20)
        changed = {"usage": usage, "left": rows.usage, "ingested": self._taken_in(self._rng, batches)}
        moved = rows.marked("moved", rows.cost, **changed)
        self._add(rows, -rows.cost, -1)
        self._add(moved, moved.cost, 1)
        self._wait(batches, moved)
        return [rows]

    def _deletion(self, day: int, rows: Events) -> list[Events]:
        self._add(rows, -rows.cost, -1)
        batches = self._later(day, len(rows), 1, 30)
        changes = {"deleted": np.ones(len(rows), dtype=np.int64), "ingested": self._taken_in(self._rng, batches)}
        self._wait(batches, rows.marked("deletion", -rows.cost, **changes))
        return [rows]

    def _tombstone_first(self, day: int, rows: Events) -> list[Events]:
        self._add(rows, -rows.cost, -1)
        self._wait(self._later(day, len(rows), 1, 5), rows.marked("tombstone_first"))
        return [replace(rows, deleted=np.ones(len(rows), dtype=np.int64), ingested=rows.ingested + 600_000)]

    def _bad(self, kind: str, day: int, rows: Events) -> list[Events]:
        batches = self._later(day, len(rows), 1, 1)
        self._wait(batches, replace(rows, ingested=self._taken_in(self._rng, batches)))
        return [rows.marked(kind, cost=-rows.cost) if kind == "negative_cost" else rows.marked(kind)]

    # Files

    def send(self, zone: Zone) -> None:
        """Write all batches, in order of their arrival."""
        for day in range(self.days + TAIL):
            parts = self._waiting.pop(day, [])
            if day < self.days:
                rows = self._usage(day)
                self._add(rows, rows.cost, 1)
                parts = [*parts, *self._plant(day, rows)]
                # What is to come with this very batch, such as a second copy of a row.
                parts += self._waiting.pop(day, [])
            if parts:
                rows = together(parts)
                self._send_batch(day, rows.take(self._rng.permutation(len(rows))), zone)
            if day in self._again:
                self._send_again(day, zone)

    def _send_batch(self, batch: int, rows: Events, zone: Zone) -> None:
        form = self._form(batch)
        name = f"events_{self._date(batch):%Y%m%d}"
        table = self.table(rows, form)
        written = zone.write(SOURCE, self._arrivals[batch], name, table, form)
        wrong = np.flatnonzero(rows.kind >= 0)
        if len(wrong):
            self._wrong.append((rows.take(wrong), wrong + 1, written, f"{name}.{form}"))
        if batch < self.days and self._per_day["redelivered"][batch]:
            again = batch + int(self._rng.integers(3, 10))
            if again < self.days and again not in self._again:
                self._again[again] = (name, table, form, written)

    def _send_again(self, day: int, zone: Zone) -> None:
        """Send an earlier batch once more, in the afternoon."""
        name, table, form, first = self._again.pop(day)
        arrival = self._midnight(day + 1) + timedelta(hours=14, minutes=int(self._rng.integers(0, 180)))
        written = zone.write(SOURCE, arrival, name, table, form)
        usage = pc.min(table["usage_date"]).as_py()
        self._sent_again.append(
            {
                "month": months.label(usage),
                "source": SOURCE,
                "kind": "redelivered",
                "cost_effect": "0",
                "planted_in_batch": written,
                "file_name": f"{name}.{form}",
                "first_batch": first,
            }
        )

    def _ids(self, rows: Events) -> pa.Array:
        days = pa.array((rows.origin + (self.first - _EPOCH).days).astype(np.int32)).cast(pa.date32())
        numbers = pc.utf8_lpad(pa.array(rows.number).cast(pa.string()), 6, "0")
        return pc.binary_join_element_wise(pa.scalar("E"), pc.strftime(days, "%Y%m%d"), numbers, "-")

    def _days(self, days: Integers) -> pa.Array:
        return pa.array((days + (self.first - _EPOCH).days).astype(np.int32)).cast(pa.date32())

    def table(self, rows: Events, form: str) -> pa.Table:
        """Return rows as the columns of a file: exact types in Parquet, texts in CSV."""
        kinds = {kind: pa.array(rows.kind == KINDS.index(kind)) for kind in BAD_KINDS}
        ids = pc.if_else(kinds["null_key"], pa.scalar(None, pa.string()), self._ids(rows))
        tenants = [None if name == NO_TENANT else name for name in TENANTS]
        ingested = pa.array(rows.ingested).cast(pa.timestamp("ms", "UTC"))
        cost = exact_decimals(rows.cost, COST_PLACES).cast(pa.decimal128(38, COST_PLACES))
        if form == CSV:
            cost = decimal_texts(rows.cost)
            ingested = pc.strftime(ingested, "%Y-%m-%dT%H:%M:%SZ")
            impossible = pc.binary_join_element_wise(pc.strftime(self._days(rows.usage), "%Y-%m-%d"), pa.scalar("24:61:00Z"), "T")
            ingested = pc.if_else(kinds["impossible_timestamp"], impossible, ingested)
        return pa.table(
            {
                "event_id": ids,
                "tenant_id": _named(tenants, self._tenant[rows.account]),
                "account_id": _named([account.account_id for account in ACCOUNTS], rows.account),
                "service_name": _named(list(SERVICES), rows.service),
                # The last name, none, is that of index -1 too.
                "region": _named([*REGIONS, None], rows.region % (len(REGIONS) + 1)),
                "pricing_model": _named(list(PRICING), rows.pricing),
                "usage_date": self._days(rows.usage),
                "cost": cost,
                "currency": pc.if_else(kinds["unknown_currency"], _WRONG_CURRENCY, self.currency),
                "ingested_at": ingested,
                "is_deleted": pa.array(rows.deleted == 1),
            }
        )

    # The truth

    def truth(self) -> list[dict[str, Any]]:
        """Return what is wrong with what was sent; a moved event has two rows: the day that it reaches and the one it leaves."""
        if not self._wrong:
            return self._sent_again
        sizes = [len(rows) for rows, *_ in self._wrong]
        batch = np.repeat(np.arange(len(sizes)), sizes)
        number = np.concatenate([numbers for _, numbers, *_ in self._wrong])
        rows = together([rows for rows, *_ in self._wrong])
        left = np.flatnonzero(rows.left >= 0)
        leaving = rows.take(left)
        rows = together([rows, replace(leaving, usage=leaving.left, effect=-leaving.effect)])
        batch, number = np.concatenate([batch, batch[left]]), np.concatenate([number, number[left]])
        days = self._days(rows.usage)
        told = pa.table(
            {
                "month": pc.strftime(days, "%Y-%m"),
                "source": pa.repeat(SOURCE, len(rows)),
                "tenant_id": _named(TENANTS, self._tenant[rows.account]),
                "account_id": _named([account.account_id for account in ACCOUNTS], rows.account),
                "event_id": self._ids(rows),
                "usage_date": pc.strftime(days, "%Y-%m-%d"),
                "kind": _named(KINDS, rows.kind),
                "cost_effect": decimal_texts(rows.effect),
                "planted_in_batch": _named([written for *_, written, _ in self._wrong], batch),
                "file_name": _named([file for *_, file in self._wrong], batch),
                "row_number": pa.array(number),
            }
        )
        return [*told.to_pylist(), *self._sent_again]
