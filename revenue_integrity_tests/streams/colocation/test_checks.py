"""Every check of the stream, once where it fails and once where it passes, with its figures.

What only an error of the program could break is broken by hand, in a transaction that is rolled back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from revenue_integrity.model.check import Gate, Judgement
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity_tests.streams.colocation.world import Computed, World

Factory = pytest.TempPathFactory


@pytest.fixture(scope="module")
def world(tmp_path_factory: Factory) -> Iterator[Computed]:
    """Build February to April 2025: all is well in February and April, what checks look for is planted in March."""
    world = World(tmp_path_factory.mktemp("checks"), first_month="2025-02", last_month="2025-04")
    world.add("rack_assignments", rack_id="R1").add("rack_assignments", rack_id="R2")
    # A contract of two racks and 10 kW, read every day but three of March, one reading late, one suspect.
    world.version(contract_id="A", overage_price=20)
    world.readings("2025-01-01", "2025-03-27", 100, 8, contract_id="A")
    world.reading("2025-03-31", 1000, 60, contract_id="A", arrival="20250420T000000Z")
    world.readings("2025-04-01", "2025-04-30", 100, 8, contract_id="A")
    # One in March only: two racks where one is contracted, and a peak of 12 kW without a price for it.
    world.version(contract_id="B", racks=1, effective_from="2025-03-01", effective_to="2025-03-31")
    for rack in ("R3", "R4"):
        world.add("rack_assignments", rack_id=rack, contract_id="B", installed_on="2025-03-01", removed_on="2025-03-31")
    world.readings("2025-03-01", "2025-03-31", 100, 9, meter_id="M-B", contract_id="B")
    world.reading("2025-03-10", 100, 12, meter_id="M-B", contract_id="B")
    for month in ("2025-02", "2025-03", "2025-04"):
        world.bill("100.00", "50.00", "-3.00", "1.00", service_month=month)
    with world.computed() as computed:
        yield computed


@contextmanager
def altered(world: Computed, sql: str) -> Iterator[Computed]:
    """Yield the world with a table changed, and undo the change."""
    world.execute("begin")
    world.execute(sql)
    try:
        yield world
    finally:
        world.execute("rollback")


def rows_of(judgement: Judgement) -> list[dict[str, Any]]:
    assert judgement.rows is not None
    return judgement.rows.to_dict(orient="records")  # type: ignore[return-value]  # names are text


def test_gates_are_those_of_the_conventions() -> None:
    gates = {check.name: check.gate for check in COLOCATION.checks}
    structural = ("rows_are_conserved", "quarantined_share_is_bearable", "allocated_plus_stranded_is_billed",
                  "revenue_components_add_up", "mrr_bridge_adds_up", "rack_split_adds_up")  # fmt: skip
    assert {gates[name] for name in structural} == {Gate.PUBLISH}
    warnings = ("meters_are_complete", "readings_arrive_on_time", "assigned_racks_are_contracted_racks",
                "peaks_are_within_reservations", "costs_are_not_negative", "row_count_is_near_its_trailing_mean",
                "sources_have_delivered", "quarantined_share_is_small")  # fmt: skip
    assert {gates[name] for name in warnings} == {Gate.WARN}


# --- curated ---


def test_meters_are_complete(world: Computed) -> None:
    # March: 62 contract-days, 28 to 30 of A estimated: 59 / 62 = 0.9516.
    failed = world.judge("meters_are_complete", "2025-03")
    assert not failed.passed
    assert failed.figures == {"contract_days": 62, "days_with_actual_readings": 59, "days_estimated": 3}
    assert [(row["contract_id"], row["days_estimated"]) for row in rows_of(failed)] == [("A", 3)]
    assert "land them" in failed.next_step
    passed = world.judge("meters_are_complete", "2025-04")
    assert passed.passed
    assert passed.figures["days_estimated"] == 0
    assert not passed.next_step


def test_meters_are_complete_at_exactly_the_share(world: Computed) -> None:
    # 59 of 62 against 0.95: 58.9 are needed; against 0.952: 59.024.
    assert world.judge("meters_are_complete", "2025-03", meter_completeness_share=Decimal("0.95")).passed
    assert not world.judge("meters_are_complete", "2025-03", meter_completeness_share=Decimal("0.952")).passed


def test_readings_arrive_on_time(world: Computed) -> None:
    # One late day of 62 is 1.6 %: within 5 %, above 1 %. The suspect reading is listed beside it.
    passed = world.judge("readings_arrive_on_time", "2025-03")
    assert passed.passed
    assert passed.figures == {"contract_days": 62, "late_days": 1, "suspect_days": 1}
    assert rows_of(passed) == [
        {"contract_id": "A", "late_days": 1, "suspect_days": 1, "largest_suspect_kwh": Decimal("1000.000000")}
    ]
    assert not world.judge("readings_arrive_on_time", "2025-03", late_readings_warn_share=Decimal("0.01")).passed


def test_assigned_racks_are_contracted_racks(world: Computed) -> None:
    failed = world.judge("assigned_racks_are_contracted_racks", "2025-03")
    assert not failed.passed
    assert failed.figures == {
        "contract_days": 62,
        "days_with_racks_missing": 0,
        "days_with_racks_in_excess": 31,
        "rack_days_in_excess": 31,
    }
    (offender,) = rows_of(failed)
    assert (offender["contract_id"], offender["contracted_rack_days"], offender["assigned_rack_days"]) == ("B", 31, 62)
    assert world.judge("assigned_racks_are_contracted_racks", "2025-04").passed


def test_peaks_are_within_reservations(world: Computed) -> None:
    failed = world.judge("peaks_are_within_reservations", "2025-03")
    assert not failed.passed
    assert failed.figures == {
        "days_above": 2,
        "contracts_above": 2,
        "contracts_without_overage_price": 1,
        "largest_excess_kw": Decimal("50.000000"),
    }
    # B's 2 kW above its reservation would have cost 2 x 20.00 at the site's price.
    found = [
        (row["contract_id"], bool(row["has_overage_price"]), row["uncharged_at_site_price_cents"]) for row in rows_of(failed)
    ]
    assert found[0] == ("B", False, 4000)
    assert found[1][:2] == ("A", True)
    passed = world.judge("peaks_are_within_reservations", "2025-04")
    assert passed.passed
    assert passed.figures["days_above"] == 0


# --- mart ---


def test_allocated_plus_stranded_is_billed(world: Computed) -> None:
    # 100.00 + 50.00 - 3.00 + 1.00; capacity charges leave 80 kW of 100 stranded: 40.00 - 2.40 + 0.80.
    passed = world.judge("allocated_plus_stranded_is_billed")
    assert passed.passed
    assert passed.figures == {
        "billed_cents": 14800,
        "allocated_and_stranded_cents": 14800,
        "stranded_cents": 3840,
        "gross_difference_cents": 0,
    }
    # Two errors that cancel in total are errors all the same.
    one_up = "update mart.power_allocation set amount_cents = amount_cents + case charge when 'tax' then 1 else -1 end"
    with altered(world, f"{one_up} where month = date '2025-03-01' and contract_id = 'A' and charge in ('tax', 'fixed')"):
        failed = world.judge("allocated_plus_stranded_is_billed")
        assert not failed.passed
        assert failed.figures["allocated_and_stranded_cents"] == 14800
        assert failed.figures["gross_difference_cents"] == 2
    with altered(world, "delete from mart.power_allocation where month = date '2025-03-01' and charge = 'energy'"):
        assert world.judge("allocated_plus_stranded_is_billed").figures["gross_difference_cents"] == 10000


@pytest.mark.parametrize(
    "change",
    [
        "update mart.contract_month set revenue_rack_cents = revenue_rack_cents + 1 where contract_id = 'A'",
        "update mart.contract_month set cost_tax_cents = cost_tax_cents + 1 where contract_id = 'A'",
        "update mart.contract_month set margin_cents = margin_cents - 1 where contract_id = 'A'",
        "update mart.expected_charges set amount_cents = amount_cents + 1 where contract_id = 'A' and charge_type = 'rack'",
        "delete from mart.contract_month where contract_id = 'B'",
    ],
)
def test_revenue_components_add_up(world: Computed, change: str) -> None:
    passed = world.judge("revenue_components_add_up")
    assert passed.passed
    # A 2100.00 and 50 x 20.00 overage; B 300.00 + 1500.00.
    assert passed.figures["contracts"] == 2
    assert passed.figures["revenue_cents"] == passed.figures["expected_charges_cents"] == 210000 + 100000 + 180000
    with altered(world, change):
        assert not world.judge("revenue_components_add_up").passed


@pytest.mark.parametrize(
    "change",
    [
        "update mart.mrr_movements set new_cents = new_cents + 1",
        "update mart.mrr_movements set closing_cents = closing_cents + 1, opening_cents = opening_cents + 1",
        "update mart.contract_month set mrr_cents = 0 where contract_id = 'A'",
        "delete from mart.mrr_movements",
    ],
)
def test_mrr_bridge_adds_up(world: Computed, change: str) -> None:
    passed = world.judge("mrr_bridge_adds_up")
    assert passed.passed
    assert passed.figures == {
        "customers": 1,
        "opening_cents": 210000,
        "closing_cents": 390000,
        "contract_mrr_cents": 390000,
    }
    with altered(world, change):
        assert not world.judge("mrr_bridge_adds_up").passed


@pytest.mark.parametrize(
    "change",
    [
        "update mart.rack_month set revenue_cents = revenue_cents + 1 where rack_id = 'R1'",
        "update mart.rack_month set power_cost_cents = power_cost_cents - 1 where rack_id = 'R3'",
        "delete from mart.rack_month where contract_id = 'B'",
        "update mart.rack_month set contract_id = 'X' where contract_id = 'B'",
    ],
)
def test_rack_split_adds_up(world: Computed, change: str) -> None:
    passed = world.judge("rack_split_adds_up")
    assert passed.passed
    assert passed.figures["contracts"] == 2
    assert passed.figures["rack_revenue_cents"] == 490000
    with altered(world, change):
        assert not world.judge("rack_split_adds_up").passed


def test_costs_are_negative_only_where_the_bill_has_a_credit(world: Computed) -> None:
    # The fixed charge of -3.00: A -0.30, B -0.30, stranded -2.40.
    passed = world.judge("costs_are_not_negative")
    assert passed.passed
    assert passed.figures == {"negative_rows": 3, "negative_cents": -300, "negative_rows_without_credit": 0}
    with altered(world, "update mart.power_allocation set amount_cents = -1 where contract_id = 'A' and charge = 'tax'"):
        failed = world.judge("costs_are_not_negative")
        assert not failed.passed
        assert failed.figures == {"negative_rows": 4, "negative_cents": -301, "negative_rows_without_credit": 1}


def test_row_count_is_near_its_trailing_mean(world: Computed) -> None:
    # February has nothing before it; March 2 against 1; April 1 against a mean of 1.5: a third less.
    assert world.judge("row_count_is_near_its_trailing_mean", "2025-02").passed
    march = world.judge("row_count_is_near_its_trailing_mean", "2025-03")
    assert not march.passed
    assert march.figures == {"contracts": 2, "earlier_rows": 1, "earlier_months": 1}
    april = world.judge("row_count_is_near_its_trailing_mean", "2025-04")
    assert not april.passed
    assert april.figures == {"contracts": 1, "earlier_rows": 3, "earlier_months": 2}
    assert world.judge("row_count_is_near_its_trailing_mean", "2025-04", row_count_warn_share=Decimal("0.34")).passed


# --- what batches brought ---


@pytest.fixture(scope="module")
def landed(tmp_path_factory: Factory) -> Iterator[Computed]:
    """March: twenty readings of which one is bad and one a duplicate; no invoices, no mapping."""
    world = World(tmp_path_factory.mktemp("landed")).version().add("rack_assignments").bill(1, service_month="2025-02")
    world.readings("2025-03-01", "2025-03-18", 100, 50)
    world.reading("2025-03-01", 100, 50, arrival="20250301T200000Z")
    world.reading("2025-03-19", 5000, 50, arrival="20250301T200000Z")
    with world.computed("contract_terms") as computed:
        yield computed


def test_quarantined_share(landed: Computed) -> None:
    # 1 of 24 rows (the next test counts them) is 4.17 %: bearable, but not small.
    small = landed.judge("quarantined_share_is_small")
    assert not small.passed
    assert landed.judge("quarantined_share_is_bearable").passed
    assert landed.judge("quarantined_share_is_small", quarantine_warn_share=Decimal("0.042")).passed
    assert not landed.judge("quarantined_share_is_bearable", quarantine_publish_share=Decimal("0.041")).passed
    (reason,) = rows_of(small)
    assert (reason["source"], reason["rows_quarantined"]) == ("meter_readings", 1)
    assert "above peak_kw" in reason["example"]


def test_quarantined_share_counts_each_row_of_the_month_once(landed: Computed) -> None:
    # Readings: 18 loaded, 1 duplicate, 1 refused. Sources without a month count where they matter: a customer, a site, a
    # version, a rack. The bill is February's.
    assert landed.judge("quarantined_share_is_small").figures == {"rows_quarantined": 1, "rows_of_month": 24}


def test_rows_are_conserved(landed: Computed) -> None:
    passed = landed.judge("rows_are_conserved")
    assert passed.passed
    assert passed.figures == {
        "batches": 5,
        "rows_in_file": 24,
        "rows_loaded": 22,
        "rows_quarantined": 1,
        "exact_duplicates": 1,
        "corrections": 0,
    }
    with altered(landed, "update meta.batches set rows_loaded = rows_loaded - 1 where contains(batch_id, 'meter_readings')"):
        failed = landed.judge("rows_are_conserved")
        assert not failed.passed
        (lost,) = rows_of(failed)
        assert (lost["rows_in_file"], lost["rows_loaded"]) == (20, 17)


def test_sources_have_delivered(landed: Computed) -> None:
    failed = landed.judge("sources_have_delivered")
    assert not failed.passed
    assert [row["source"] for row in rows_of(failed)] == ["erp_invoices", "erp_mapping", "erp_power_costs"]
    never = int(failed.figures["never_delivered"] or 0)
    assert never == 3


def test_sources_have_delivered_when_all_required_did(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("all")).version().reading("2025-03-05").bill(1)
    world.add("rack_assignments").add("erp_invoices").add("erp_mapping").add("erp_power_costs")
    with world.computed("contract_terms") as computed:
        # Control totals are optional.
        assert computed.judge("sources_have_delivered").passed
