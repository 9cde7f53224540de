"""Which power bill counts, and what stands where none came."""

from collections.abc import Iterator
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

Factory = pytest.TempPathFactory
CHARGES = ("energy_cents", "demand_cents", "fixed_cents", "tax_cents", "total_cents")


def site(world: World, name: str, *, served: bool = True) -> World:
    world.add("sites", site_id=name)
    if served:
        world.version(contract_id=f"C-{name}", site_id=name, effective_from="2024-10-01")
    return world


def metered(world: World, name: str, first: str, last: str, kwh: object) -> None:
    world.readings(first, last, kwh, meter_id=f"M-{name}", contract_id=f"C-{name}", site_id=name)


@pytest.fixture(scope="module")
def bills(tmp_path_factory: Factory) -> Iterator[Computed]:
    """April 2025, and months before it that an accrual may rest on; the deployment begins in April."""
    world = World(tmp_path_factory.mktemp("bills"), first_month="2025-04", last_month="2025-04")

    # The highest version wins, though the lower one came last; within a version the later row wins.
    site(world, "VERSIONS")
    world.bill(20, arrival="20250510T000000Z", site_id="VERSIONS", service_month="2025-04", bill_version=2)
    world.bill(21, arrival="20250511T000000Z", site_id="VERSIONS", service_month="2025-04", bill_version=2)
    world.bill(10, arrival="20250520T000000Z", site_id="VERSIONS", service_month="2025-04", bill_version=1, status="estimated")

    site(world, "ESTIMATED")
    world.bill(7, site_id="ESTIMATED", service_month="2025-04", status="estimated", kwh=77)

    site(world, "UNSERVED", served=False)
    world.bill(5, site_id="UNSERVED", service_month="2025-04")
    site(world, "EMPTY", served=False)

    # 3,100 + 2,800 + 3,100 kWh in January to March, 3,000 in April: each charge x 3000 / 9000.
    site(world, "ACCRUED")
    metered(world, "ACCRUED", "2025-01-01", "2025-04-30", 100)
    world.bill(9999, site_id="ACCRUED", service_month="2024-12")
    world.bill("100.00", "-0.01", "0.02", "0.15", site_id="ACCRUED", service_month="2025-01")
    world.bill("200.00", "-0.01", "0.00", "0.00", site_id="ACCRUED", service_month="2025-02")
    world.bill("300.00", "-0.05", "0.00", "0.00", site_id="ACCRUED", service_month="2025-03")

    # February's bill is estimated: only January's counts, 620.00 / 3100 kWh x 3000.
    site(world, "ONE-FINAL")
    metered(world, "ONE-FINAL", "2025-01-01", "2025-04-30", 100)
    world.bill(620, site_id="ONE-FINAL", service_month="2025-01")
    world.bill(888, site_id="ONE-FINAL", service_month="2025-02", status="estimated")

    # Later bills are no history.
    site(world, "LATER")
    world.bill(620, site_id="LATER", service_month="2025-05")

    # A rounding at the half: 0.03 x 3000 / 6000 and the same as a credit; October has 31 days of 200 kWh less 200.
    site(world, "HALVES")
    metered(world, "HALVES", "2024-11-01", "2024-11-30", 200)
    metered(world, "HALVES", "2025-04-01", "2025-04-30", 100)
    world.bill("0.03", "-0.03", "0.01", "-0.01", site_id="HALVES", service_month="2024-11")

    # The basis month was estimated by the rules of meter_daily: 10 kW x 24 x 0.6 = 144 kWh x 31 = 4464; April 144 x 30.
    site(world, "UNMETERED")
    world.bill("446.40", site_id="UNMETERED", service_month="2025-03")
    with world.computed("power_bills") as computed:
        yield computed


def charges(bills: Computed, name: str) -> tuple[Any, ...]:
    return pick(bills.row("power_bills", site_id=name), *CHARGES)


def test_highest_version_wins_and_within_it_the_later_row(bills: Computed) -> None:
    row = bills.row("power_bills", site_id="VERSIONS")
    assert pick(row, "bill_version", "status", "energy_cents", "is_accrued") == (2, "final", 2100, False)


def test_estimated_bill_is_a_bill(bills: Computed) -> None:
    row = bills.row("power_bills", site_id="ESTIMATED")
    assert pick(row, "status", "kwh", "total_cents", "is_accrued", "no_bill_history") == ("estimated", 77, 700, False, False)


def test_bill_without_service_stands_and_a_site_without_either_has_no_row(bills: Computed) -> None:
    assert charges(bills, "UNSERVED") == (500, 0, 0, 0, 500)
    assert bills.rows("power_bills", site_id="EMPTY") == []


def test_accrual_rests_on_the_latest_three_final_months(bills: Computed) -> None:
    # 600.00 x 3000 / 9000 = 200.00; -0.07 / 3 = -0.0233 -> -0.02; 0.02 / 3 = 0.0066 -> 0.01; 0.15 / 3 = 0.05.
    # December's 9,999.00 is a fourth month.
    assert charges(bills, "ACCRUED") == (20000, -2, 1, 5, 20004)
    row = bills.row("power_bills", site_id="ACCRUED")
    assert pick(row, "bill_version", "status", "kwh", "is_accrued", "no_bill_history") == (None, None, None, True, False)


def test_accrual_leaves_out_months_whose_bill_is_estimated(bills: Computed) -> None:
    assert charges(bills, "ONE-FINAL") == (60000, 0, 0, 0, 60000)


def test_accrual_without_an_earlier_final_bill_is_zero_and_says_so(bills: Computed) -> None:
    row = bills.row("power_bills", site_id="LATER")
    assert pick(row, *CHARGES, "is_accrued", "no_bill_history") == (0, 0, 0, 0, 0, True, True)


def test_accrual_is_rounded_half_away_from_zero(bills: Computed) -> None:
    # x 3000 / 6000: 1.5 -> 2, -1.5 -> -2, 0.5 -> 1, -0.5 -> -1.
    assert charges(bills, "HALVES") == (2, -2, 1, -1, 0)


def test_accrual_rests_on_estimated_usage_where_nothing_was_read(bills: Computed) -> None:
    # 446.40 / 4464 kWh x 4320 kWh.
    assert charges(bills, "UNMETERED") == (43200, 0, 0, 0, 43200)


def test_bills_must_add_up_and_may_be_credits(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("sum")).version()
    world.bill(100, 20, -5, 1, total="115.99", service_month="2025-03")
    world.bill(-100, 20, -5, 1, service_month="2025-02")
    (reason,) = world.refusals("power_bills")
    assert "116" in reason
    assert "115.99" in reason


def test_accrual_takes_as_many_months_as_set(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("one"), first_month="2025-04", last_month="2025-04", accrual_months=1).version()
    world.bill(100, service_month="2025-02").bill("446.40", service_month="2025-03")
    assert world.row("power_bills")["energy_cents"] == 43200
