"""What the contract says is owed; March 2025 has 31 days."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

FIGURES = ("version", "segment_from", "segment_to", "quantity", "unit_price", "amount_cents")


@pytest.fixture(scope="module")
def charges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("charges"))

    def contract(name: str, **values: Any) -> None:
        world.version(**({"contract_id": name, "racks": 0, "reserved_kw": 0, "rack_price": 0, "kw_price": 0} | values))

    def peak(name: str, on: str, kw: object) -> None:
        world.reading(on, 0, kw, meter_id=f"M-{name}", contract_id=name)

    # 31 racks at 10.00 are 10.00 a day; then 62 of them.
    contract("UPSELL", racks=31, rack_price=10)
    contract("UPSELL", version=2, racks=62, rack_price=10, effective_from="2025-03-11", amendment_type="upsell")
    # One rack at 0.155 for a day of 31: 0.005, a half cent; at 0.15 it is less.
    contract("HALF", racks=1, rack_price="0.155", effective_from="2025-03-31", effective_to="2025-03-31")
    contract("LESS", racks=1, rack_price="0.15", effective_from="2025-03-31", effective_to="2025-03-31")
    # A temporary version makes three segments, each a row rounded for itself: 9, 5 and 17 days of 1.00.
    contract("THIRDS", racks=1, rack_price=1)
    contract(
        "THIRDS",
        version=2,
        racks=1,
        rack_price=1,
        effective_from="2025-03-10",
        effective_to="2025-03-14",
        amendment_type="renewal",
    )
    contract("POWER", reserved_kw="12.5", kw_price="140.25", effective_from="2025-03-22")
    contract("FREE")
    # 100 kWh a day at 0.10 until the 10th, at 0.20 with an uplift of 1.5 from then on.
    contract("ENERGY", pricing_model="metered", energy_rate="0.1")
    contract(
        "ENERGY", version=2, pricing_model="metered", energy_rate="0.2", pue_uplift="1.5", effective_from="2025-03-11",
        amendment_type="escalation",
    )  # fmt: skip
    world.readings("2025-03-01", "2025-03-31", 100, 50, meter_id="M-EN", contract_id="ENERGY")
    # From all-in to metered inside the month.
    contract("SWITCH")
    contract("SWITCH", version=2, pricing_model="metered", energy_rate="0.1", effective_from="2025-03-31")
    world.readings("2025-03-01", "2025-03-31", 100, 50, meter_id="M-SW", contract_id="SWITCH")

    # Overage: equal peaks, the first day.
    contract("FIRST", reserved_kw=10, overage_price=5)
    for on, kw in (("2025-03-04", 11), ("2025-03-05", 12), ("2025-03-09", 12)):
        peak("FIRST", on, kw)
    # Excess counts, not the peak: 3 kW above 10, then 4 kW above 20 at another price.
    contract("RAISED", reserved_kw=10, overage_price=5)
    contract("RAISED", version=2, reserved_kw=20, overage_price=7, effective_from="2025-03-11", amendment_type="upsell")
    peak("RAISED", "2025-03-05", 13)
    peak("RAISED", "2025-03-20", 24)
    # Equal excess at two prices: the price of the first day.
    contract("PRICES", reserved_kw=10, overage_price=5)
    contract("PRICES", version=2, reserved_kw=10, overage_price=50, effective_from="2025-03-11", amendment_type="escalation")
    peak("PRICES", "2025-03-05", 13)
    peak("PRICES", "2025-03-20", 13)
    # Days without a price take no part, however high.
    contract("UNPRICED", reserved_kw=10)
    contract("UNPRICED", version=2, reserved_kw=10, overage_price=5, effective_from="2025-03-11", amendment_type="correction")
    peak("UNPRICED", "2025-03-05", 30)
    world.readings("2025-03-06", "2025-03-31", 0, 10, meter_id="M-UNPRICED", contract_id="UNPRICED")
    world.reading("2025-03-20", 0, "10.5", meter_id="M-UNPRICED", contract_id="UNPRICED", arrival="20250321T000000Z")
    contract("WITHIN", reserved_kw=10, overage_price=5)
    peak("WITHIN", "2025-03-05", 10)

    # Fees: in the month that holds effective_from, if that version is in force that day.
    contract("FEE", effective_from="2025-03-31", one_time_fee="99.99")
    contract("OLD-FEE", effective_from="2025-02-28", one_time_fee="99.99")
    contract("HIDDEN", version=3, effective_from="2025-01-01")
    contract("HIDDEN", version=2, effective_from="2025-03-10", one_time_fee="50", amendment_type="upsell")
    contract("ENDED", effective_from="2025-01-01")
    contract(
        "ENDED", version=2, effective_from="2025-03-10", one_time_fee="50", status="terminated", amendment_type="termination"
    )
    contract("TWICE", effective_from="2025-03-02", one_time_fee="1")
    contract("TWICE", version=2, effective_from="2025-03-10", one_time_fee="2", amendment_type="renewal")
    with world.computed("expected_charges") as computed:
        yield computed


def owed(charges: Computed, contract: str, charge: str) -> list[tuple[Any, ...]]:
    return [pick(row, *FIGURES) for row in charges.rows("expected_charges", contract_id=contract, charge_type=charge)]


def test_racks_are_prorated_by_days_of_each_segment(charges: Computed) -> None:
    assert owed(charges, "UPSELL", "rack") == [
        (1, "2025-03-01", "2025-03-10", 10, 10, 10000),
        (2, "2025-03-11", "2025-03-31", 42, 10, 42000),
    ]


def test_half_a_cent_is_a_cent_and_less_makes_no_row(charges: Computed) -> None:
    assert owed(charges, "HALF", "rack")[0][-1] == 1
    assert charges.rows("expected_charges", contract_id="LESS") == []


def test_each_segment_is_rounded_for_itself(charges: Computed) -> None:
    # 9/31 = 0.290322… -> 29, 5/31 = 0.161290… -> 16, 17/31 = 0.548387… -> 55.
    rows = owed(charges, "THIRDS", "rack")
    assert [row[-1] for row in rows] == [29, 16, 55]
    assert [row[3] for row in rows] == [Decimal("0.290323"), Decimal("0.16129"), Decimal("0.548387")]


def test_reserved_power_is_prorated(charges: Computed) -> None:
    # 12.5 x 140.25 x 10 / 31 = 565.5241…; the quantity 12.5 x 10 / 31 = 4.032258….
    (row,) = owed(charges, "POWER", "power")
    assert row[3:] == (Decimal("4.032258"), Decimal("140.25"), 56552)


def test_charge_of_nothing_makes_no_row(charges: Computed) -> None:
    assert charges.rows("expected_charges", contract_id="FREE") == []


def test_energy_is_charged_per_segment_with_its_rate_and_uplift(charges: Computed) -> None:
    # 10 x 100 x 0.1 = 100.00; 21 x 100 x 1.5 x 0.2 = 630.00.
    assert owed(charges, "ENERGY", "energy") == [
        (1, "2025-03-01", "2025-03-10", 1000, Decimal("0.1"), 10000),
        (2, "2025-03-11", "2025-03-31", 3150, Decimal("0.2"), 63000),
    ]


def test_energy_is_charged_on_metered_days_only(charges: Computed) -> None:
    assert owed(charges, "SWITCH", "energy") == [(2, "2025-03-31", "2025-03-31", 100, Decimal("0.1"), 1000)]


def test_overage_is_of_the_first_day_of_the_highest_excess(charges: Computed) -> None:
    assert owed(charges, "FIRST", "overage") == [(1, "2025-03-05", "2025-03-05", 2, 5, 1000)]


def test_overage_is_the_excess_over_the_reservation_of_the_day(charges: Computed) -> None:
    assert owed(charges, "RAISED", "overage") == [(2, "2025-03-20", "2025-03-20", 4, 7, 2800)]


def test_overage_has_the_price_of_its_day(charges: Computed) -> None:
    assert owed(charges, "PRICES", "overage") == [(1, "2025-03-05", "2025-03-05", 3, 5, 1500)]


def test_days_without_an_overage_price_take_no_part(charges: Computed) -> None:
    assert owed(charges, "UNPRICED", "overage") == [(2, "2025-03-20", "2025-03-20", Decimal("0.5"), 5, 250)]


def test_peak_at_the_reservation_is_no_overage(charges: Computed) -> None:
    assert owed(charges, "WITHIN", "overage") == []


def test_fee_is_charged_once_in_the_month_of_its_beginning(charges: Computed) -> None:
    assert owed(charges, "FEE", "one_time") == [(1, "2025-03-31", "2025-03-31", 1, Decimal("99.99"), 9999)]
    assert owed(charges, "OLD-FEE", "one_time") == []
    assert [row[-1] for row in owed(charges, "TWICE", "one_time")] == [100, 200]


def test_fee_of_a_version_that_is_not_in_force_is_not_charged(charges: Computed) -> None:
    assert owed(charges, "HIDDEN", "one_time") == []
    assert owed(charges, "ENDED", "one_time") == []
