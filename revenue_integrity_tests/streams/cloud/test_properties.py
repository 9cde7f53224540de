"""Whatever is delivered, in whatever order it is read: nothing is lost, the totals are right, and only touched days change.

Totals are compared with a second method: every version in a list of plain Python, sorted by the total order, costs as
``Decimal``; it knows nothing of files, days on record, fingerprints or slices.
"""

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from revenue_integrity.landing.eventstore import versions
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.warehouse.storage import has_table
from revenue_integrity_tests.streams.cloud.support import DAILY, OUTCOMES, Cloud, at, charge, csv_bytes, event, parquet_bytes

ARRIVALS = ("20250303T000000Z", "20250320T060000Z", "20250401T000000Z", "20250402T000000Z", "20250415T120000Z")
DAYS = ("2025-01-31", "2025-02-28", "2025-03-01", "2025-03-10", "2025-03-22", "2025-04-01")
INSTANTS = tuple(f"2025-03-0{day}T10:00:00Z" for day in range(1, 6))
WINDOWS = (10, 3660)

PHASES = (Phase.explicit, Phase.generate)
"""An example takes seconds, so making a failing one small would take minutes."""

Key = tuple[str, str, str]
"""Tenant, account, day."""


@dataclass(frozen=True)
class Row:
    """A landed row: where it stands, and what it says, as text."""

    source: str
    arrival: str
    file_name: str
    number: int
    values: dict[str, str]

    @property
    def day(self) -> date:
        return date.fromisoformat((self.values.get("usage_date") or self.values["ChargePeriodStart"])[:10])

    @property
    def cost(self) -> Decimal:
        return Decimal(self.values.get("cost") or self.values["BilledCost"])

    @property
    def is_bad(self) -> bool:
        return self.source == "billing_events" and self.cost < 0

    @property
    def batch(self) -> tuple[str, str]:
        return self.source, self.arrival


costs = st.integers(0, 10**6).map(lambda units: str(Decimal(units).scaleb(-3)))

event_rows = st.builds(
    event,
    st.sampled_from(["E-1", "E-2", "E-3", "E-4", "E-5", "E-6"]),
    costs | st.sampled_from(["0.000000000001", "-1"]),
    st.sampled_from(DAYS),
    tenant_id=st.sampled_from(["T-1", "T-1", "T-2"]),
    account_id=st.sampled_from(["A-1", "A-2"]),
    ingested_at=st.sampled_from(INSTANTS),
    is_deleted=st.sampled_from(["", "", "", "true"]),
)

charge_rows = st.builds(
    charge,
    costs | st.sampled_from(["-0.5", "-7"]),
    st.sampled_from(DAYS),
    BillingAccountId=st.sampled_from(["B-1", "B-2"]),
    SubAccountId=st.sampled_from(["A-1", ""]),
)

Delivery = tuple[str, str, list[list[dict[str, str]]]]
"""Source, arrival, and the rows of each of its files."""


def files_of(rows: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[list[list[dict[str, str]]]]:
    return st.lists(st.lists(rows, min_size=1, max_size=8), min_size=1, max_size=2)


deliveries = st.lists(
    st.tuples(st.just("billing_events"), st.sampled_from(ARRIVALS), files_of(event_rows))
    | st.tuples(st.sampled_from(["focus", "focus_delta"]), st.sampled_from(ARRIVALS), files_of(charge_rows)),
    min_size=3,
    max_size=6,
    unique_by=lambda delivery: delivery[:2],
)


def landed(found: list[Delivery]) -> Iterator[Row]:
    """Yield the rows of deliveries with their places."""
    for source, arrival, files in found:
        for place, rows in enumerate(files):
            # Every second file of events is Parquet, so both ways into the store are walked.
            suffix = "parquet" if source == "billing_events" and place % 2 else "csv"
            for number, values in enumerate(rows, start=1):
                yield Row(source, arrival, f"part-{place}.{suffix}", number, values)


def put(cloud: Cloud, found: list[Delivery]) -> None:
    """Land deliveries."""
    files: dict[tuple[str, str, str], list[dict[str, str]]] = defaultdict(list)
    for row in landed(found):
        files[row.source, row.arrival, row.file_name].append(row.values)
    for (source, arrival, name), rows in files.items():
        cloud.put(source, arrival, parquet_bytes(rows) if name.endswith("parquet") else csv_bytes(rows), name)


class Oracle:
    """What must stand, by the other method."""

    def __init__(self, rows: list[Row], window: int) -> None:
        self.good = [row for row in rows if not row.is_bad]
        self.bad = [row for row in rows if row.is_bad]
        self._window = timedelta(days=window)
        self._opened: dict[str, datetime] = {}
        for row in self.good:
            month = f"{row.day:%Y-%m}"
            self._opened[month] = min(self._opened.get(month, at(row.arrival)), at(row.arrival))
        self.aside = [row for row in self.good if self._is_beyond(row, row.day)]
        self.superseded: list[Row] = []
        self.standing: list[Row] = []
        self._charges()
        self._events()

    def _is_beyond(self, row: Row, day: date) -> bool:
        arrival = at(row.arrival)
        return day < (arrival - self._window).date() and self._opened[f"{day:%Y-%m}"] < arrival

    def _charges(self) -> None:
        charges = [row for row in self.good if row.source != "billing_events" and row not in self.aside]
        exports = {(row.values["BillingAccountId"], row.arrival) for row in self.good if row.source == "focus"}
        for row in charges:
            replaced = any(
                account == row.values["BillingAccountId"]
                and arrival > row.arrival
                # An export does not reach beyond its own window, not even to leave something out.
                and not (row.day < (at(arrival) - self._window).date())
                for account, arrival in exports
            )
            (self.superseded if replaced else self.standing).append(row)

    def _events(self) -> None:
        versions: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.good:
            if row.source == "billing_events":
                versions[row.values["tenant_id"], row.values["event_id"]].append(row)
        for found in versions.values():
            found.sort(key=lambda row: (row.values["ingested_at"], row.arrival, row.file_name, row.number))
            counted = []
            for place, row in enumerate(found):
                if row in self.aside:
                    continue
                changes_beyond = any(
                    each.arrival < row.arrival and each.day < (at(row.arrival) - self._window).date() for each in found[:place]
                )
                (self.aside if changes_beyond else counted).append(row)
            if counted and counted[-1].values["is_deleted"] != "true":
                # Of equal rows that end the list, one counts: which of them does not matter to any cost.
                self.standing.append(counted[-1])

    def costs(self) -> dict[Key, Decimal]:
        """Return the cost of each tenant's account and day."""
        found: dict[Key, Decimal] = defaultdict(Decimal)
        for row in self.standing:
            tenant = row.values.get("tenant_id", "DEFAULT")
            account = row.values.get("account_id") or row.values.get("SubAccountId") or row.values["BillingAccountId"]
            found[tenant, account, f"{row.day}"] += row.cost
        return dict(found)


def costs_of(cloud: Cloud) -> dict[Key, Decimal]:
    """Return the cost of each tenant's account and day, as the stages have it; where all rows are bad, none was computed."""
    if not has_table(cloud.connection, schemas.DAILY_ACCOUNT_COST):
        return {}
    return {
        (tenant, account, f"{day}"): cost
        for tenant, account, day, cost in cloud.rows(f"select tenant_id, account_id, usage_date, total_cost from {DAILY}")
    }


def by_batch(rows: list[Row]) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """Return rows and cost per batch."""
    found: dict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in rows:
        count, cost = found[row.batch]
        found[row.batch] = count + 1, cost + row.cost
    return dict(found)


PARTS = {
    "not_counting": f"select batch_id, 1, cost from {OUTCOMES}",
    "replaced": "select batch_id, row_count, cost from cloud_events.days where not is_live and not set_aside",
    "set_aside": """
        select batch_id, row_count, cost from cloud_events.days where set_aside
        union all
        select c.batch_id, 1, c.cost from cloud_events.versions as c
        inner join cloud_events.days as d
            on c.file_no = d.file_no and c.usage_date = d.usage_date and c.tenant_id = d.tenant_id
        where c.set_aside and not d.set_aside
    """,
    "quarantined": "select batch_id, 1, cost from meta.held_billing_events where not is_duplicate",
}
"""Batch, rows and cost of what does not survive."""


def parts_of(cloud: Cloud) -> dict[str, dict[tuple[str, str], tuple[int, Decimal]]]:
    """Return rows and cost per batch of each part that read rows may fall into."""
    found: dict[str, dict[tuple[str, str], tuple[int, Decimal]]] = {}
    listed: dict[str, list[tuple[str, int, Decimal]]] = {
        "surviving": [(row["batch_id"], 1, row["cost"]) for row in cloud.survivors()],
        **{name: cloud.rows(sql) for name, sql in PARTS.items()},
    }
    for name, rows in listed.items():
        found[name] = defaultdict(lambda: (0, Decimal(0)))
        for batch_id, count, cost in rows:
            _, source, arrival = batch_id.split("/")
            before = found[name][source, arrival]
            found[name][source, arrival] = before[0] + count, before[1] + cost
    return found


def assert_conserved(cloud: Cloud, oracle: Oracle) -> None:
    """Check that the rows and cost of each batch are the sum of their parts, and each part what it must be."""
    parts = parts_of(cloud)
    read = by_batch([*oracle.good, *oracle.bad])
    for batch, (rows, cost) in read.items():
        assert sum(part[batch][0] for part in parts.values()) == rows, (batch, parts)
        assert sum((part[batch][1] for part in parts.values()), Decimal(0)) == cost, (batch, parts)
    assert set().union(*(part.keys() for part in parts.values())) <= read.keys()
    assert {batch: found for batch, found in parts["quarantined"].items() if found[0]} == by_batch(oracle.bad)
    assert {batch: found for batch, found in parts["set_aside"].items() if found[0]} == by_batch(oracle.aside)


def assert_same(one: Cloud, other: Cloud) -> None:
    """Check that two homes hold the same, to the last hash."""
    assert one.raw_slices() == other.raw_slices()
    assert one.hashes() == other.hashes()


@settings(max_examples=2, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(deliveries, st.sampled_from(WINDOWS), st.integers(0, 1000))
def test_any_order_of_reading_gives_what_the_other_method_says(found: list[Delivery], window: int, seed: int) -> None:
    oracle = Oracle(list(landed(found)), window)
    with tempfile.TemporaryDirectory() as directory:
        at_once = Cloud(Path(directory) / "at_once", cloud_lookback_days=window)
        put(at_once, found)
        with pytest.MonkeyPatch.context() as patch:
            # Part by part, as what comes by the million is.
            patch.setattr(versions, "COMPARED", 2)
            at_once.run()
        assert costs_of(at_once) == oracle.costs()
        assert_conserved(at_once, oracle)

        one_by_one = Cloud(Path(directory) / "one_by_one", cloud_lookback_days=window)
        in_some_order = list(found)
        random.Random(seed).shuffle(in_some_order)
        for place, delivery in enumerate(in_some_order):
            before, slices = one_by_one.hashes(), one_by_one.raw_slices()
            put(one_by_one, [delivery])
            done = one_by_one.run()
            after = one_by_one.hashes()
            changed = {day for table, day in before.keys() | after.keys() if before.get((table, day)) != after.get((table, day))}
            recomputed = {day for days in done.values() for day in days}
            assert changed <= recomputed, "no day changes that is not recomputed"
            differing = {
                name.split("/")[1].split("@")[0]
                for name in slices.keys() | one_by_one.raw_slices().keys()
                if slices.get(name) != one_by_one.raw_slices().get(name)
            }
            assert recomputed == differing, "exactly the days whose slices differ are recomputed"
            now = Oracle(list(landed(in_some_order[: place + 1])), window)
            assert costs_of(one_by_one) == now.costs()
        assert_same(at_once, one_by_one)


@settings(max_examples=2, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(st.lists(event_rows, min_size=4, max_size=20), st.integers(0, 1000))
def test_shuffling_splitting_and_delivering_again_change_no_cost(rows: list[dict[str, str]], seed: int) -> None:
    # Every version at an instant of its own, for ties go by the place in the delivery, which is what changes here.
    begin = datetime.fromisoformat("2025-03-01T00:00:00+00:00")
    rows = [row | {"ingested_at": (begin + timedelta(seconds=place)).isoformat()} for place, row in enumerate(rows)]
    shuffled = rows[:]
    random.Random(seed).shuffle(shuffled)
    half = len(rows) // 2
    with tempfile.TemporaryDirectory() as directory:
        # All arrive on the last day, so that completeness is the same.
        arrivals = ["20250420T000000Z", "20250420T000001Z", "20250420T000002Z"]
        whole, apart, again = (Cloud(Path(directory) / name, cloud_lookback_days=3660) for name in ("whole", "apart", "again"))
        whole.events(arrivals[0], *rows).run()
        apart.events(arrivals[1], *shuffled[:half]).run()
        apart.events(arrivals[0], *shuffled[half:]).run()
        again.events(arrivals[0], *shuffled[:half], file_name="b.csv").events(arrivals[0], *shuffled[half:], file_name="a.csv")
        again.events(arrivals[1], *shuffled).events(arrivals[2], *rows[half:]).run()

        expected = {key: found for key, found in whole.hashes().items() if key[0] != OUTCOMES}
        for cloud in (apart, again):
            assert {key: found for key, found in cloud.hashes().items() if key[0] != OUTCOMES} == expected
        assert costs_of(whole) == Oracle([Row("billing_events", arrivals[0], "x", 1, row) for row in rows], 3660).costs()
