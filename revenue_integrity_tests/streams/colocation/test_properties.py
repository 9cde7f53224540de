"""What must hold for any input: parts add up, every day counts once, order and packaging of deliveries change nothing."""

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revenue_integrity import months
from revenue_integrity.exact import largest_remainder
from revenue_integrity.model.query import Query
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation import curated, mart
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests import cases
from revenue_integrity_tests.streams.colocation import naive
from revenue_integrity_tests.streams.colocation.naive import Reading, Version
from revenue_integrity_tests.streams.colocation.world import CURATED_AND_MART, World

MARCH = date(2025, 3, 1)
LAST = date(2025, 3, 31)

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
"""Few examples, the same ones each time: each runs several queries."""

_TABLES = """
    create schema raw; create schema meta; create schema curated; create schema mart;
    create table raw.contract_versions (
        contract_id VARCHAR, version BIGINT, customer_id VARCHAR, site_id VARCHAR, effective_from DATE, effective_to DATE,
        status VARCHAR, pricing_model VARCHAR, racks BIGINT, reserved_kw DECIMAL(18,6), rack_price DECIMAL(18,6),
        kw_price DECIMAL(18,6), energy_rate DECIMAL(18,6), pue_uplift DECIMAL(18,6), overage_price DECIMAL(18,6),
        one_time_fee_cents BIGINT, amendment_type VARCHAR, row_status VARCHAR
    );
    create table raw.sites (site_id VARCHAR, timezone VARCHAR, row_status VARCHAR);
    create table raw.meter_readings (
        meter_id VARCHAR, contract_id VARCHAR, site_id VARCHAR, reading_date DATE, kwh DECIMAL(18,6), peak_kw DECIMAL(18,6),
        read_type VARCHAR, arrival TIMESTAMPTZ, month DATE, row_status VARCHAR
    );
    create table raw.rack_assignments (
        rack_id VARCHAR, contract_id VARCHAR, site_id VARCHAR, installed_on DATE, removed_on DATE, rated_kw DECIMAL(18,6),
        row_status VARCHAR
    );
    create table meta.starts_meter_readings (meter_id VARCHAR, contract_id VARCHAR, first_day DATE);
    create table curated.power_bills (
        month DATE, site_id VARCHAR, energy_cents BIGINT, demand_cents BIGINT, fixed_cents BIGINT, tax_cents BIGINT
    );
    create table curated.contract_terms (
        month DATE, site_id VARCHAR, contract_id VARCHAR, reserved_kw DECIMAL(18,6), active_days BIGINT, segment_from DATE
    );
    create table curated.meter_daily (month DATE, contract_id VARCHAR, reading_date DATE, kwh DECIMAL(18,6));
    create table curated.sites (month DATE, site_id VARCHAR, capacity_kw DECIMAL(18,6));
    create table mart.contract_month (
        month DATE, contract_id VARCHAR, site_id VARCHAR, revenue_cents BIGINT, power_cost_cents BIGINT
    );
    insert into raw.sites values ('S-1', 'UTC', 'surviving');
"""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(_TABLES)
        yield connection


@cache
def defaults() -> Settings:
    """Return the settings of a deployment of March only."""
    return load_settings(first_month=MARCH, last_month=MARCH)


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    connection.execute(f"delete from {table}")
    if rows:
        connection.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", [list(row) for row in rows])


def run(connection: duckdb.DuckDBPyConnection, query: Query) -> list[dict[str, Any]]:
    rows = connection.execute(query.sql, query.bound).fetchall()
    names = [name for name, *_ in connection.description or []]
    return [dict(zip(names, row, strict=True)) for row in rows]


# --- splitting money ---

cents = st.integers(-(10**9), 10**9) | st.integers(-5, 5)
kilowatts = st.decimals(0, 1000, places=3) | st.just(Decimal(0))
members = st.lists(st.tuples(kilowatts, st.integers(1, 31), st.decimals(0, 50000, places=6) | st.just(Decimal(0))), max_size=6)


def allocate(connection: duckdb.DuckDBPyConnection, order: Sequence[int], capacity: Decimal, bill: Sequence[int],
             contracts: Sequence[tuple[Decimal, int, Decimal]], method: str) -> dict[tuple[str, str], int]:  # fmt: skip
    """Run the allocation of one site with the contracts stored in some order."""
    fill(connection, "curated.power_bills", [(MARCH, "S-1", *bill)])
    fill(connection, "curated.sites", [(MARCH, "S-1", capacity)])
    stored = [(f"C-{number}", *contracts[number]) for number in order]
    fill(connection, "curated.contract_terms", [(MARCH, "S-1", name, kw, day_count, MARCH) for name, kw, day_count, _ in stored])
    fill(connection, "curated.meter_daily", [(MARCH, name, MARCH, kwh) for name, _, _, kwh in stored])
    rows = run(connection, mart.power_allocation(MARCH, defaults().model_copy(update={"allocation_method": method})))
    return {(row["charge"], row["contract_id"]): row["amount_cents"] for row in rows}


@quick
@given(
    kilowatts, st.tuples(cents, cents, cents, cents), members, st.sampled_from(["hybrid", "metered_share", "reserved_share"]),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_allocation_adds_up_and_follows_largest_remainder(
    warehouse: duckdb.DuckDBPyConnection,
    capacity: Decimal,
    bill: tuple[int, int, int, int],
    contracts: list[tuple[Decimal, int, Decimal]],
    method: str,
    shuffler: random.Random,
) -> None:
    order = list(range(len(contracts)))
    found = allocate(warehouse, order, capacity, bill, contracts, method)
    names = [*(f"C-{number}" for number in order), "STRANDED"]
    reserved = [kw * day_count for kw, day_count, _ in contracts]
    drawn = [kwh for *_, kwh in contracts]
    for charge, amount in zip(("energy", "demand", "fixed", "tax"), bill, strict=True):
        if method == "metered_share" or (method == "hybrid" and charge == "energy"):
            weights = [*drawn, Decimal(0 if any(drawn) else 1)]
        else:
            weights = [*reserved, max(capacity * 31 - sum(reserved, Decimal(0)), Decimal(0))]
        parts = [found[charge, name] for name in names]
        assert sum(parts) == amount
        assert parts == largest_remainder(amount, weights, names)
    shuffler.shuffle(order)
    assert allocate(warehouse, order, capacity, bill, contracts, method) == found


@quick
@given(cents, cents, st.lists(st.tuples(kilowatts, st.integers(1, 31), st.integers(0, 30)), max_size=6))
def test_rack_split_adds_up_and_follows_largest_remainder(
    warehouse: duckdb.DuckDBPyConnection, revenue: int, cost: int, racks: list[tuple[Decimal, int, int]]
) -> None:
    assigned = [
        (f"R-{number}", MARCH + timedelta(days=first - 1), min(MARCH + timedelta(days=first - 1 + length), LAST), kw)
        for number, (kw, first, length) in enumerate(racks)
    ]
    fill(warehouse, "mart.contract_month", [(MARCH, "A", "S-1", revenue, cost)])
    fill(
        warehouse,
        "raw.rack_assignments",
        [(name, "A", "S-1", first, last, kw, "surviving") for name, first, last, kw in assigned],
    )
    found = {row["rack_id"]: row for row in run(warehouse, mart.rack_month(MARCH, defaults()))}
    names = [name for name, *_ in assigned] or ["UNASSIGNED"]
    weights = [kw * ((last - first).days + 1) for _, first, last, kw in assigned] or [Decimal(1)]
    assert sorted(found) == sorted(names)
    assert [found[name]["revenue_cents"] for name in names] == largest_remainder(revenue, weights, names)
    assert [found[name]["power_cost_cents"] for name in names] == largest_remainder(cost, weights, names)
    assert sum(row["margin_cents"] for row in found.values()) == revenue - cost


# --- days in force ---


def dates(first: date, last: date) -> st.SearchStrategy[date]:
    return st.dates(first, last)


prices = st.decimals(0, 2000, places=6)


@st.composite
def version_sets(draw: st.DrawFn, contracts: Sequence[str] = ("A", "B"), first: date = date(2025, 1, 20)) -> list[Version]:
    """Any versions of some contracts around March 2025: overlapping, temporary, terminated, with gaps."""
    found = []
    for contract in contracts:
        for number in range(1, draw(st.integers(1, 5)) + 1):
            begin = draw(dates(first, date(2025, 4, 5)))
            end = draw(st.none() | st.integers(0, 60))
            found.append(
                Version(
                    contract,
                    number,
                    begin,
                    None if end is None else begin + timedelta(days=end),
                    draw(st.sampled_from([True, True, True, False])),
                    draw(st.integers(0, 9)),
                    draw(kilowatts),
                    draw(prices),
                    draw(prices),
                    f"CU-{contract}",
                )
            )
    return found


def fill_versions(connection: duckdb.DuckDBPyConnection, versions: Sequence[Version]) -> None:
    fill(
        connection,
        "raw.contract_versions",
        [
            (each.contract_id, each.version, each.customer_id, "S-1", each.first, each.last,
             "active" if each.active else "terminated", "all_in", each.racks, each.kw, each.rack_price, each.kw_price,
             None, None, None, None, "new", "surviving")
            for each in versions
        ],
    )  # fmt: skip


@quick
@given(version_sets())
def test_proration_bills_each_day_in_force_exactly_once(warehouse: duckdb.DuckDBPyConnection, versions: list[Version]) -> None:
    fill_versions(warehouse, versions)
    segments = run(warehouse, curated.contract_terms(MARCH, defaults()))
    billed = [
        (row["contract_id"], day, row["version"])
        for row in segments
        for day in naive.days(row["segment_from"], row["segment_to"])
    ]
    in_force = [
        (contract, day, terms.version)
        for contract in ("A", "B")
        for day in naive.days(MARCH, LAST)
        if (terms := naive.in_force(versions, contract, day))
    ]
    assert sorted(billed) == sorted(in_force)
    assert all(row["active_days"] == (row["segment_to"] - row["segment_from"]).days + 1 for row in segments)
    # Maximal runs: no two segments of one version touch.
    ends = {(row["contract_id"], row["version"], row["segment_to"] + naive.DAY) for row in segments}
    assert not ends & {(row["contract_id"], row["version"], row["segment_from"]) for row in segments}


@quick
@given(version_sets(first=date(2024, 10, 1)))
def test_mrr_bridge_adds_up_and_months_link(warehouse: duckdb.DuckDBPyConnection, versions: list[Version]) -> None:
    fill_versions(warehouse, versions)
    closing = dict.fromkeys(("CU-A", "CU-B"), 0)
    had = set[str]()
    for month in months.between(date(2024, 10, 1), date(2025, 6, 1)):
        rows = {row["customer_id"]: row for row in run(warehouse, mart.mrr_movements(month, defaults()))}
        for contract, customer in (("A", "CU-A"), ("B", "CU-B")):
            now = naive.run_rate(naive.in_force(versions, contract, months.last_day(month)))
            row = rows.get(customer)
            if row is None:
                assert now == closing[customer] == 0
                continue
            assert (row["opening_cents"], row["closing_cents"]) == (closing[customer], now)
            moved = row["new_cents"] + row["reactivation_cents"] + row["expansion_cents"] - row["contraction_cents"]
            assert row["opening_cents"] + moved - row["churn_cents"] == now
            kinds = ("new", "reactivation", "expansion", "contraction", "churn")
            assert sum(row[f"{kind}_cents"] != 0 for kind in kinds) <= 1
            assert not (row["new_cents"] and customer in had)
            assert not (row["reactivation_cents"] and customer not in had)
            closing[customer] = now
        had |= {customer for customer, amount in closing.items() if amount}


# --- meters ---

quantities = st.decimals(0, 400, places=3)


@st.composite
def reading_sets(draw: st.DrawFn) -> list[Reading]:
    """Any readings of three meters from late January to March: gaps, estimates, exchanges, a meter that moves."""
    found = []
    for meter, contracts in (("M1", "A"), ("M2", "A"), ("M3", "AB")):
        share = draw(st.sampled_from([0.1, 0.5, 0.95]))
        first, last = sorted(draw(st.tuples(dates(date(2025, 1, 25), LAST), dates(date(2025, 1, 25), LAST))))
        chance = random.Random(draw(st.integers(0, 10**6)))
        for number, day in enumerate(naive.days(first, last)):
            if chance.random() > share:
                continue
            kwh = Decimal(chance.randrange(0, 60000)).scaleb(-3) * (5 if chance.random() < 0.05 else 1)
            peak = Decimal(chance.randrange(0, 15000)).scaleb(-3)
            contract = contracts[0] if number < 30 else contracts[-1]
            found.append(Reading(meter, contract, day, kwh, peak, chance.random() < 0.85))
    return found


def meter_daily(
    connection: duckdb.DuckDBPyConnection, versions: Sequence[Version], readings: Sequence[Reading]
) -> dict[tuple[str, date], naive.Usage]:
    """Run the query over accepted readings: those on days with service."""
    fill_versions(connection, versions)
    fill(
        connection,
        "raw.meter_readings",
        [
            (each.meter_id, each.contract_id, "S-1", each.day, each.kwh, each.peak_kw, "actual" if each.actual else "estimated",
             f"{each.day} 20:00:00+00", each.day.replace(day=1), "surviving")
            for each in readings
        ],
    )  # fmt: skip
    starts = {(each.meter_id, each.contract_id): each.day for each in sorted(readings, key=lambda each: each.day, reverse=True)}
    fill(connection, "meta.starts_meter_readings", [(*meter, day) for meter, day in starts.items()])
    rows = run(connection, curated.meter_daily(MARCH, defaults()))
    found = {
        (row["contract_id"], row["reading_date"]): naive.Usage(
            row["kwh"], row["peak_kw"], row["n_meters"], row["estimated_kwh"], row["is_estimated"], row["is_suspect"]
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def accepted(versions: Sequence[Version], readings: Sequence[Reading]) -> list[Reading]:
    return [each for each in readings if naive.in_force(versions, each.contract_id, each.day)]


@quick
@given(version_sets(), reading_sets())
def test_meter_daily_is_what_the_spec_says_day_by_day(
    warehouse: duckdb.DuckDBPyConnection, versions: list[Version], readings: list[Reading]
) -> None:
    known = accepted(versions, readings)
    expected = {
        (contract, day): usage
        for contract in ("A", "B")
        for day in naive.days(MARCH, LAST)
        if (usage := naive.usage(versions, known, contract, day))
    }
    assert meter_daily(warehouse, versions, known) == expected


@quick
@given(reading_sets())
def test_estimates_use_no_estimates(warehouse: duckdb.DuckDBPyConnection, readings: list[Reading]) -> None:
    # Whatever the source estimates, what is estimated here stays: the gaps of a day are its estimated kWh less the source's.
    always = [
        Version(contract, 1, date(2024, 1, 1), None, True, 1, Decimal(10), Decimal(1), Decimal(1)) for contract in ("A", "B")
    ]

    def gaps(rows: list[Reading]) -> dict[tuple[str, date], Decimal]:
        sent: dict[tuple[str, date], Decimal] = {}
        for each in rows:
            if not each.actual:
                sent[each.contract_id, each.day] = sent.get((each.contract_id, each.day), Decimal(0)) + each.kwh
        return {
            key: usage.estimated_kwh - sent.get(key, Decimal(0)) for key, usage in meter_daily(warehouse, always, rows).items()
        }

    louder = [
        each if each.actual else Reading(each.meter_id, each.contract_id, each.day, each.kwh * 7 + 1, each.peak_kw, False)
        for each in readings
    ]
    assert gaps(louder) == gaps(readings)


# --- packaging and order ---


def story(home: Path) -> World:
    """Build a quarter with something of everything: amendments, meters, corrections, bills, racks, invoices."""
    world = World(home, first_month="2025-01", last_month="2025-03").add("customers", customer_id="CU-2")
    world.add("sites", site_id="S-2", timezone="America/New_York", capacity_kw=30)
    for number in range(8):
        contract, at, of = f"C-{number}", f"S-{number % 2 + 1}", f"CU-{number % 2 + 1}"
        terms: dict[str, Any] = {"contract_id": contract, "site_id": at, "customer_id": of}
        world.version(**terms, effective_from="2024-12-15", reserved_kw=number, racks=number, overage_price=9)
        world.version(**terms, version=2, effective_from=f"2025-02-{number + 10}", amendment_type="upsell",
                      pricing_model="metered", energy_rate="0.11", reserved_kw=number + 1)  # fmt: skip
        world.add("rack_assignments", rack_id=f"R-{number}", contract_id=contract, site_id=at, rated_kw=number)
        erp = {"erp_customer_code": f"E-{of}", "erp_contract_ref": f"R-{contract}"}
        world.add("erp_mapping", contract_id=contract, customer_id=of, **erp)
        chance = random.Random(number)
        for day in naive.days(date(2024, 12, 20), LAST):
            if chance.random() < 0.8:
                world.reading(day, chance.randrange(0, 200), 9, arrival="20250201T000000Z", meter_id=f"M-{number}",
                              contract_id=contract, site_id=at)  # fmt: skip
        for month in ("2025-01", "2025-02", "2025-03"):
            line: dict[str, Any] = {"document_id": f"D-{number}", "line_no": month[-1], "service_month": month}
            world.add("erp_invoices", "20250410T000000Z", amount=number * 7, **line, **erp)
    world.reading("2025-03-05", 150, 9, arrival="20250402T000000Z", meter_id="M-2", contract_id="C-2", site_id="S-1")
    for month in ("2025-01", "2025-02"):
        world.bill("777.77", "55.55", "-3.33", "1.11", site_id="S-1", service_month=month)
        world.bill("333.33", "22.21", site_id="S-2", service_month=month, status="estimated")
    return world


def hashes(world: World, wanted: Sequence[date] | None = None) -> dict[tuple[str, date], str]:
    with world.computed(wanted=wanted) as computed:
        return computed.hashes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, date], str]:
    return hashes(story(tmp_path_factory.mktemp("plain")))


def test_rows_and_files_inside_batches_may_come_in_any_order(plain: dict[tuple[str, date], str], tmp_path: Path) -> None:
    assert hashes(story(tmp_path).shuffled(random.Random(1))) == plain


def test_delivery_may_come_in_several_batches(plain: dict[tuple[str, date], str], tmp_path: Path) -> None:
    assert hashes(story(tmp_path).split(random.Random(3))) == plain


def test_months_may_run_in_any_order_and_again(plain: dict[tuple[str, date], str], tmp_path: Path) -> None:
    world = story(tmp_path)
    with world.computed(wanted=list(reversed(world.settings.months))) as computed:
        assert computed.hashes() == plain
        cases.compute(computed.connection, world.settings, cases.only(COLOCATION, CURATED_AND_MART), world.settings.months[1:])
        assert computed.hashes() == plain


def test_content_hash_sees_a_cent(plain: dict[tuple[str, date], str], tmp_path: Path) -> None:
    world = story(tmp_path).add("erp_invoices", "20250411T000000Z", document_id="D-X", service_month="2025-02", amount="0.01")
    found = hashes(world)
    assert {key for key in plain if found[key] != plain[key]} == {("invoice_lines", date(2025, 2, 1))}
