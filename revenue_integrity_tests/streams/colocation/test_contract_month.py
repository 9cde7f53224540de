"""The primary table: days, usage, revenue, run-rate, flags; March 2025 has 31 days."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("contract_month"))

    # Two days: 100 kWh then 300, peaks 20 and 40.
    world.version(contract_id="SHORT", effective_from="2025-03-30", racks=2, reserved_kw=30)
    world.reading("2025-03-30", 100, 20, meter_id="M-S", contract_id="SHORT")
    world.reading("2025-03-31", 300, 40, meter_id="M-S", contract_id="SHORT", arrival="20250410T000000Z")

    # 10 kW for 10 days and 20 for 21; 1 rack, then 3.
    world.version(contract_id="MEANS", racks=1, reserved_kw=10)
    world.version(contract_id="MEANS", version=2, racks=3, reserved_kw=20, effective_from="2025-03-11", amendment_type="upsell")
    world.add("rack_assignments", rack_id="R1", contract_id="MEANS")
    world.add("rack_assignments", rack_id="R2", contract_id="MEANS", installed_on="2025-03-22")
    world.add("rack_assignments", rack_id="R3", contract_id="MEANS", installed_on="2025-03-31", removed_on="2025-03-31")
    world.add("rack_assignments", rack_id="R4", contract_id="MEANS", removed_on="2025-02-28")

    # Nothing drawn, nothing contracted, nothing owed.
    world.version(contract_id="NOTHING", racks=0, reserved_kw=0)
    world.readings("2025-03-01", "2025-03-31", 0, 0, meter_id="M-N", contract_id="NOTHING")

    # Run-rate: each rounded for itself, at the terms of the last day; none where none is in force on it.
    world.version(contract_id="HALVES", racks=1, rack_price="0.005", reserved_kw=1, kw_price="0.005")
    world.version(contract_id="LEFT", effective_to="2025-03-30")

    # A correction that a higher version hides is accepted and takes effect in the month all the same.
    world.version(contract_id="HIDDEN", version=3)
    world.version(contract_id="HIDDEN", version=2, effective_from="2025-03-10", amendment_type="correction")
    world.version(contract_id="BEFORE", version=1)
    world.version(contract_id="BEFORE", version=2, effective_from="2025-02-28", amendment_type="upsell")
    world.version(contract_id="NEW", effective_from="2025-03-10", amendment_type="new")
    # A termination takes effect in the month, without a day of its own.
    world.version(contract_id="ENDED")
    world.version(contract_id="ENDED", version=2, effective_from="2025-03-20", status="terminated", amendment_type="termination")
    with world.computed("contract_month") as computed:
        yield computed


def test_days_and_means_are_over_days_in_force(months: Computed) -> None:
    row = months.row("contract_month", contract_id="MEANS")
    # 1 x 10 + 3 x 21 = 73; 10 x 10 + 20 x 21 = 520; over 31.
    assert pick(row, "active_days", "rack_days", "reserved_kw_days") == (31, 73, 520)
    assert pick(row, "contracted_racks", "contracted_kw") == (Decimal("2.354839"), Decimal("16.774194"))
    # R1 31 days, R2 10 (22nd to 31st), R3 1, R4 none: 42 rack-days of 73.
    assert pick(row, "assigned_racks", "rack_utilization") == (Decimal("1.354839"), Decimal("0.575342"))


def test_usage_ratios_by_hand(months: Computed) -> None:
    row = months.row("contract_month", contract_id="SHORT")
    # 400 kWh over 2 days: 400 / 48 = 8.333333 kW; of a peak of 40: 0.208333; of 30 reserved: 0.277778.
    assert pick(row, "used_kwh", "avg_kw", "peak_kw") == (400, Decimal("8.333333"), 40)
    assert pick(row, "load_factor", "power_utilization") == (Decimal("0.208333"), Decimal("0.277778"))
    # Mean 200, both days 100 away from it: 100 / 200.
    assert row["usage_cv"] == Decimal("0.5")
    assert pick(row, "estimated_share", "has_estimates", "has_late_reads") == (0, False, True)


def test_ratios_over_nothing_are_null(months: Computed) -> None:
    row = months.row("contract_month", contract_id="NOTHING")
    assert pick(row, "used_kwh", "avg_kw", "revenue_cents", "margin_cents") == (0, 0, 0, 0)
    ratios = ("rack_utilization", "load_factor", "usage_cv", "power_utilization", "estimated_share", "margin_pct")
    assert pick(row, *ratios) == (None,) * 6


def test_run_rate_rounds_racks_and_power_each(months: Computed) -> None:
    # 0.5 cents and 0.5 cents are a cent each.
    assert months.row("contract_month", contract_id="HALVES")["mrr_cents"] == 2


def test_run_rate_is_that_of_the_last_day(months: Computed) -> None:
    # 3 x 300 + 20 x 150 for a full month, whatever the days.
    assert months.row("contract_month", contract_id="MEANS")["mrr_cents"] == 390000
    assert months.row("contract_month", contract_id="LEFT")["mrr_cents"] == 0
    assert months.row("contract_month", contract_id="ENDED")["mrr_cents"] == 0


@pytest.mark.parametrize(
    ("contract", "amended"),
    [("MEANS", True), ("HIDDEN", True), ("BEFORE", False), ("NEW", False), ("ENDED", True)],
)
def test_amended_is_a_version_other_than_new_that_takes_effect(months: Computed, contract: str, amended: bool) -> None:
    assert months.row("contract_month", contract_id=contract)["amended_in_month"] is amended


def test_revenue_is_the_sum_of_the_expected_charges(months: Computed) -> None:
    for row in months.rows("contract_month"):
        owed = [each["amount_cents"] for each in months.rows("expected_charges", contract_id=row["contract_id"])]
        assert row["revenue_cents"] == sum(owed), row["contract_id"]


def test_accrued_bill_is_flagged(months: Computed) -> None:
    assert {row["bill_is_accrued"] for row in months.rows("contract_month")} == {True}


def test_customer_month_sums_its_contracts(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("customer")).add("customers", customer_id="CU-2").add("customers", customer_id="CU-3")
    # CU-1: two contracts of 2 x 300 + 10 x 150 = 2100.00 each, one of them new; CU-2 left in February: it has no service.
    world.version(contract_id="A").version(contract_id="B", effective_from="2025-03-01")
    world.version(contract_id="C", customer_id="CU-2", effective_to="2025-02-28")
    world.version(contract_id="D", customer_id="CU-3", effective_to="2025-03-30")
    world.bill("100.00")
    with world.computed("customer_month") as computed:
        rows = {row["customer_id"]: row for row in computed.rows("customer_month")}
    names = ("contracts", "used_kwh", "revenue_cents", "mrr_cents", "power_cost_cents", "margin_cents", "mrr_movement_cents")
    # Three contracts of 144 kWh a day: 31 + 31 + 30 days; D has 30 / 31 of the month. Energy 100.00 by 4464 : 4464 : 4320.
    assert pick(rows["CU-1"], *names) == (2, 8928, 420000, 420000, 6739, 420000 - 6739, 210000)
    assert pick(rows["CU-3"], *names) == (1, 4320, 203226, 0, 3261, 203226 - 3261, -210000)
    assert sorted(rows) == ["CU-1", "CU-3"]
