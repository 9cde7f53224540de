"""What the meters read each local day, and which file brought which reading.

Belongs here: load, meter events, deliveries; arrays only, one row per meter and one column per day. Does not belong
here: money. kWh and kW are integers in thousandths.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from revenue_integrity import months
from revenue_integrity.streams.colocation.simulate.world import MICRO, World
from revenue_integrity.streams.simulating import CSV, GZIP, JSON, PARQUET, Zone, exact_decimals

Ints = np.ndarray[Any, np.dtype[np.int64]]

FILE_DAYS = 3
"""A meter file covers so many days, so that no reading in it is late (more than three days old)."""

SENT_AT = time(14, 0)
"""Hour (UTC) of meter files: the day before is over at every site, and the present one has not become the next."""

PARALLEL_DAYS = 28
"""An exchanged meter stays connected without load for so long, and reads zero."""

ON_TIME, REPLACED, ESTIMATED, LATE, GAP, REREAD = range(6)
"""What becomes of a reading: sent in time; estimated, then read; estimated for good; sent late; never sent; corrected."""

LARGE_FILE = 50_000
"""Rows from which a file is sent as Parquet."""


@dataclass(frozen=True)
class Override:
    """A day of a meter that billing saw differently: what had arrived then, and in which file the final reading comes.

    Attributes:
        first_kwh: thousandths of a kWh that had arrived; ``None`` if nothing had.
        first_type: ``actual`` or ``estimated``.
    """

    meter: int
    day: int
    first_kwh: int | None
    first_type: str
    file: int


@dataclass
class Meters:
    """All meters and their final readings.

    Attributes:
        contract: index of the contract, per meter.
        slot: number of the meter within its contract, per meter.
        kwh, peak: final readings, meter by day.
        present: whether there is a final reading.
        fate: what becomes of it.
        first_day: column at which a contract's service starts, per contract.
        arrivals: when each meter file arrives; the last ones bring late readings only.
        day_file: file that brings a day in time, per day.
    """

    contract: Ints
    slot: Ints
    kwh: Ints
    peak: Ints
    present: np.ndarray[Any, np.dtype[np.bool_]]
    fate: np.ndarray[Any, np.dtype[np.int8]]
    arrivals: list[datetime]
    day_file: Ints
    starts: Ints = field(init=False)

    def __post_init__(self) -> None:
        # Meters stand in order of their contracts, so those of one contract are a slice.
        self.starts = np.append(np.flatnonzero(np.diff(self.contract, prepend=-1)), len(self.contract))
        self._of_contract = {int(self.contract[start]): number for number, start in enumerate(self.starts[:-1])}

    def of(self, contract: int) -> slice:
        """Return the rows of a contract's meters; empty if it has none."""
        number = self._of_contract.get(contract)
        return slice(0, 0) if number is None else slice(int(self.starts[number]), int(self.starts[number + 1]))

    def file_after(self, instant: datetime) -> int | None:
        """Return the first file that arrives after an instant."""
        return next((number for number, arrival in enumerate(self.arrivals) if arrival > instant), None)


def read_meters(world: World, seed: int) -> Meters:
    """Draw the load of all meters for the simulated days."""
    rng = np.random.default_rng([seed, 2])
    days = (world.last - world.first).days + 1
    reserved, spare = _reserved(world, days), _exchanges(world, days, rng)
    contract, slot, live_from, live_to = _meter_rows(world, reserved, spare)
    in_service = reserved[contract] > 0
    column = np.arange(days)
    live = in_service & (column >= live_from[:, None])
    loaded = live & (column <= live_to[:, None])
    live &= column <= (live_to + PARALLEL_DAYS)[:, None]

    loads = np.array([each.load for each in world.contracts])
    volatility = rng.uniform(0.02, 0.10, len(world.contracts))[contract]
    growth = rng.uniform(-0.05, 0.20, len(world.contracts))[contract] / 365
    share = np.array([1 / each.meters for each in world.contracts])[contract]
    weekday = np.array([(world.first + timedelta(days=day)).weekday() for day in range(days)])
    season = 1 + 0.04 * np.sin(2 * np.pi * (column - 100) / 365)
    level = loads[contract][:, None] * (1 + growth[:, None] * column) * season * np.where(weekday >= 5, 0.94, 1.0)
    level = level * (1 + volatility[:, None] * rng.standard_normal((len(contract), days)))
    level = np.where(rng.random((len(contract), days)) < 0.0001, level * 3.5, level)
    kw = reserved[contract] * share[:, None] * np.clip(level, 0.05, None).clip(max=2.5)
    kwh = np.rint(kw * 24 * 1000).astype(np.int64)
    # A short day has 23 hours: the peak stays above the mean on it too.
    peak = np.rint(kw * 1000 * rng.uniform(1.08, 1.35, kw.shape)).astype(np.int64) + 1
    kwh[~loaded], peak[~loaded] = 0, 0

    exact = np.array([each.exact_meters for each in world.contracts])[contract]
    fate = _fates(live & loaded, exact, live_from, rng)
    arrivals, day_file = _files(world, days)
    return Meters(contract, slot, kwh, peak, live & (fate != GAP), fate, arrivals, day_file)


def _reserved(world: World, days: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return kW reserved per contract and day; 0 without service."""
    reserved = np.zeros((len(world.contracts), days))
    for contract in world.contracts:
        for segment in contract.segments:
            reserved[contract.index, (segment.first - world.first).days : (segment.last - world.first).days + 1] = (
                segment.version.kw / MICRO
            )
    return reserved


def _exchanges(world: World, days: int, rng: np.random.Generator) -> dict[int, int]:
    """Choose contracts whose first meter is exchanged, with the day of it."""
    chosen = np.flatnonzero(rng.random(len(world.contracts)) < 0.03 * days / 365)
    return {int(contract): int(day) for contract, day in zip(chosen, rng.integers(1, days, len(chosen)), strict=True)}


def _meter_rows(
    world: World, reserved: "np.ndarray[Any, np.dtype[np.float64]]", exchanged: dict[int, int]
) -> tuple[Ints, Ints, Ints, Ints]:
    rows: list[tuple[int, int, int, int]] = []
    days = reserved.shape[1]
    for contract in world.contracts:
        inside = np.flatnonzero(reserved[contract.index])
        if not len(inside):
            continue
        start, change = int(inside[0]), exchanged.get(contract.index, 0)
        if start + 40 < change < int(inside[-1]) - 5:
            rows.append((contract.index, 1, start, change - 1))
            rows.append((contract.index, contract.meters + 1, change, days))
        else:
            rows.append((contract.index, 1, start, days))
        rows += [(contract.index, slot, start, days) for slot in range(2, contract.meters + 1)]
    found = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return found[:, 0], found[:, 1], found[:, 2], found[:, 3]


def _fates(
    loaded: "np.ndarray[Any, np.dtype[np.bool_]]",
    exact: "np.ndarray[Any, np.dtype[np.bool_]]",
    live_from: Ints,
    rng: np.random.Generator,
) -> "np.ndarray[Any, np.dtype[np.int8]]":
    """Decide what becomes of each reading; what is billed by the meter has no gaps, for billing waits for its readings."""
    draw = rng.random(loaded.shape)
    fate = np.zeros(loaded.shape, dtype=np.int8)
    for kind, low, high in (
        (REPLACED, 0.0, 0.006),
        (ESTIMATED, 0.006, 0.009),
        (LATE, 0.009, 0.015),
        (REREAD, 0.015, 0.018),
        (GAP, 0.018, 0.022),
    ):
        fate[(draw >= low) & (draw < high)] = kind
    fate[exact[:, None] & (fate == GAP)] = ON_TIME
    fate[np.arange(len(live_from)), np.minimum(live_from, loaded.shape[1] - 1)] = ON_TIME
    fate[~loaded] = ON_TIME
    return fate


def _files(world: World, days: int) -> tuple[list[datetime], Ints]:
    """Return when the files arrive, and which of them brings each day in time."""
    arrivals: list[datetime] = []
    day_file = np.zeros(days, dtype=np.int64)
    day = world.first
    while day <= world.last:
        until = min(day + timedelta(days=FILE_DAYS - 1), months.last_day(day.replace(day=1)))
        day_file[(day - world.first).days : (until - world.first).days + 1] = len(arrivals)
        arrivals.append(datetime.combine(until + timedelta(days=1), SENT_AT, UTC))
        day = until + timedelta(days=1)
    # What is read late in the last month comes with files of the month after it.
    arrivals += [datetime.combine(world.last + timedelta(days=late), SENT_AT, UTC) for late in (4, 10, 18)]
    return arrivals, day_file


@dataclass(frozen=True)
class BadReading:
    """A reading that was sent in a form that nobody can use, beside the good one."""

    meter: int
    day: int
    fault: str


def write_readings(
    world: World, meters: Meters, overrides: Sequence[Override], bad: Sequence[BadReading], repeated: float, zone: Zone, seed: int
) -> list[tuple[str, str, int, BadReading]]:
    """Write all meter files and return batch, file, row number of each bad reading."""
    rng = np.random.default_rng([seed, 3])
    rows = _deliveries(world, meters, overrides, rng)
    if repeated:
        again = np.flatnonzero(rng.random(len(rows["meter"])) < repeated)
        last_file = len(meters.arrivals) - 4
        again = again[rows["file"][again] < last_file]
        # Sent again with the very next file; a value that was corrected in between would not stand last any more.
        again = again[rows["once"][again]]
        rows = {name: np.concatenate([column, column[again]]) for name, column in rows.items()}
        rows["file"][len(rows["file"]) - len(again) :] += 1
    order = np.lexsort((rows["sequence"], rows["day"], rows["meter"], rows["file"]))
    rows = {name: column[order] for name, column in rows.items()}
    edges = np.searchsorted(rows["file"], np.arange(len(meters.arrivals) + 1))
    sites = [world.sites[contract.site].site_id for contract in world.contracts]
    names = {
        "meter_id": pa.array([f"M-{c + 1:05d}-{s}" for c, s in zip(meters.contract, meters.slot, strict=True)]),
        "contract_id": pa.array([world.contracts[c].contract_id for c in meters.contract]),
        "site_id": pa.array([sites[c] for c in meters.contract]),
    }
    dates = pa.array([world.first + timedelta(days=day) for day in range(meters.kwh.shape[1])]).cast(pa.string())
    found: list[tuple[str, str, int, BadReading]] = []
    for number, arrival in enumerate(meters.arrivals):
        part = {name: column[edges[number] : edges[number + 1]] for name, column in rows.items()}
        if not len(part["meter"]):
            continue
        table = pa.table(
            {
                **{name: values.take(pa.array(part["meter"])) for name, values in names.items()},
                "reading_date": dates.take(pa.array(part["day"])),
                "kwh": exact_decimals(part["kwh"], 3),
                "peak_kw": exact_decimals(part["peak"], 3),
                "read_type": pa.array(["actual", "estimated"]).take(pa.array(part["estimated"])),
            }
        )
        mine = [each for each in bad if meters.day_file[each.day] == number]
        form = PARQUET if table.num_rows > LARGE_FILE else (GZIP, CSV, PARQUET, GZIP, JSON)[number % 5]
        batch = zone.write("meter_readings", arrival, "readings", _with_bad(table, mine, names, dates, meters), form)
        found += [(batch, f"readings.{form}", table.num_rows + place + 1, each) for place, each in enumerate(mine)]
    return found


def _with_bad(
    table: pa.Table, bad: Sequence[BadReading], names: dict[str, pa.Array], dates: pa.Array, meters: Meters
) -> pa.Table:
    if not bad:
        return table
    kwh = [meters.kwh[each.meter, each.day] for each in bad]
    peak = [meters.peak[each.meter, each.day] for each in bad]
    more = {name: values.take(pa.array([each.meter for each in bad])) for name, values in names.items()}
    if any(each.fault == "unknown contract" for each in bad):
        more["contract_id"] = pa.array(
            [
                "CT-99999" if each.fault == "unknown contract" else contract
                for each, contract in zip(bad, more["contract_id"].to_pylist(), strict=True)
            ]
        )
    more["reading_date"] = dates.take(pa.array([each.day for each in bad]))
    more["kwh"] = exact_decimals(
        np.array([-value - 1 if each.fault == "negative kWh" else value for each, value in zip(bad, kwh, strict=True)]), 3
    )
    more["peak_kw"] = exact_decimals(
        np.array([value // 100 if each.fault == "kWh above peak" else value for each, value in zip(bad, peak, strict=True)]), 3
    )
    more["read_type"] = pa.array(["actual"] * len(bad))
    return pa.concat_tables([table, pa.table(more).select(table.column_names)])


def _deliveries(
    world: World, meters: Meters, overrides: Sequence[Override], rng: np.random.Generator
) -> dict[str, "np.ndarray[Any, Any]"]:
    """Return every row that is sent: meter, day, values, type, the file that brings it, and its place among equals."""
    meter, day = np.nonzero(meters.present)
    fate = meters.fate[meter, day].astype(np.int64)
    kwh, peak = meters.kwh[meter, day].copy(), meters.peak[meter, day].copy()
    in_time = meters.day_file[day]
    later = _later_files(world, meters, meter, day, in_time, rng)

    overridden = np.zeros(meters.kwh.shape, dtype=bool)
    for each in overrides:
        overridden[each.meter, each.day] = True
    plain = ~overridden[meter, day]

    def rows(chosen: Any, values: Any, file: Any, estimated: int, sequence: int, once: bool) -> dict[str, Any]:
        count = int(chosen.sum())
        return {
            "meter": meter[chosen],
            "day": day[chosen],
            "kwh": values[chosen],
            "peak": peak[chosen],
            "estimated": np.full(count, estimated),
            "file": file[chosen],
            "sequence": np.full(count, sequence),
            "once": np.full(count, once),
        }

    wrong = np.minimum(np.rint(kwh * rng.uniform(0.8, 0.99, len(kwh))).astype(np.int64), kwh)
    parts = [
        rows(plain & (fate == ON_TIME), kwh, in_time, 0, 0, True),
        rows(plain & (fate == LATE), kwh, later, 0, 0, True),
        rows(plain & (fate == ESTIMATED), kwh, in_time, 1, 0, True),
        rows(plain & (fate == REPLACED), wrong, in_time, 1, 0, False),
        rows(plain & (fate == REPLACED), kwh, later, 0, 1, False),
        # A meter that was read again before its file was sent is sent once.
        rows(plain & (fate == REREAD) & (later > in_time), wrong, in_time, 0, 0, False),
        rows(plain & (fate == REREAD), kwh, later, 0, 1, False),
    ]
    for each in overrides:
        final = (int(meters.kwh[each.meter, each.day]), 0, each.file)
        sent = (
            [] if each.first_kwh is None else [(each.first_kwh, int(each.first_type == "estimated"), meters.day_file[each.day])]
        )
        for sequence, (value, estimated, file) in enumerate([*sent, final]):
            parts.append(
                {
                    "meter": np.array([each.meter]),
                    "day": np.array([each.day]),
                    "kwh": np.array([value]),
                    "peak": np.array([meters.peak[each.meter, each.day]]),
                    "estimated": np.array([estimated]),
                    "file": np.array([file]),
                    "sequence": np.array([sequence]),
                    "once": np.array([False]),
                }
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _later_files(world: World, meters: Meters, meter: Ints, day: Ints, in_time: Ints, rng: np.random.Generator) -> Ints:
    """Return the file of a second or late reading: a few files later, but before billing where billing needs it."""
    later = in_time + rng.integers(1, 4, len(in_time))
    last_of_month = np.array(
        [
            meters.day_file[min((months.last_day(each.replace(day=1)) - world.first).days, len(meters.day_file) - 1)]
            for each in (world.first + timedelta(days=number) for number in range(len(meters.day_file)))
        ]
    )[day]
    exact = np.array([contract.exact_meters for contract in world.contracts])[meters.contract[meter]]
    return np.where(exact, np.minimum(later, last_of_month), np.minimum(later, len(meters.arrivals) - 1))
