"""Margin at risk, replayed by hand: six months, 100 kWh a day, energy at 10, 12, … 20 cents a kWh."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from revenue_integrity import months
from revenue_integrity.streams.colocation import schemas
from revenue_integrity.streams.colocation.risk import contract_risk
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.warehouse.storage import read_partitions
from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

Factory = pytest.TempPathFactory
DISTRIBUTION = (
    "expected_margin_cents",
    "margin_p5_cents",
    "margin_at_risk_cents",
    "margin_worst_cents",
    "risk_weighted_margin_cents",
)
STRESS = ("stress_price_cents", "stress_worst_rate_cents", "stress_full_cents")
DAYS = {"2025-01": 31, "2025-02": 28, "2025-03": 31, "2025-04": 30, "2025-05": 31, "2025-06": 30}


def populate(world: World, site: str, **terms: Any) -> None:
    """Put a contract alone at a site: 100 kWh a day, energy at 10 cents in January and 2 more each month."""
    world.add("sites", site_id=site, capacity_kw=10)
    world.version(contract_id=site, site_id=site, **terms)
    world.readings("2025-01-01", "2025-06-30", 100, meter_id=f"M-{site}", contract_id=site, site_id=site)
    # A month before the deployment, dearer than all: no history.
    world.bill(99999, site_id=site, service_month="2024-12")
    for number, (month, days) in enumerate(DAYS.items()):
        world.bill(days * (10 + 2 * number), site_id=site, service_month=month)


@pytest.fixture(scope="module")
def risk(tmp_path_factory: Factory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("risk"), first_month="2025-01", last_month="2025-06")
    populate(world, "ALL-IN")
    # 0.20 a kWh x 1.5: 30 cents a metered kWh..
    populate(
        world, "METERED", pricing_model="metered", energy_rate="0.2", pue_uplift="1.5", overage_price=1, reserved_kw=10
    )  # fmt: skip
    # June's terms: 20 kW and another price; the past is scaled to them.
    populate(world, "GROWN")
    world.version(
        contract_id="GROWN", site_id="GROWN", version=2, reserved_kw=20, kw_price=100, effective_from="2025-06-01",
        one_time_fee="500.00", amendment_type="upsell",
    )  # fmt: skip
    # No reservation in January: that month's utilization is unknown.
    populate(world, "UNKNOWN-U", reserved_kw=0, effective_to="2025-01-31")
    world.version(contract_id="UNKNOWN-U", site_id="UNKNOWN-U", version=2, effective_from="2025-02-01")
    with world.computed("contract_risk") as computed:
        yield computed


def test_six_months_by_hand(risk: Computed) -> None:
    # Rack and power 2100.00; each month scales to 3000 kWh of June, so margins are 210000 - 3000 r:
    # 180000, 174000, 168000, 162000, 156000, 150000; mean 165000; index floor(0.05 x 5) = 0.
    row = risk.row("contract_risk", contract_id="ALL-IN", month="2025-06")
    assert pick(row, "risk_months", *DISTRIBUTION) == (6, 165000, 150000, 15000, 150000, 157500)


def test_stress_by_hand(risk: Computed) -> None:
    # 3000 kWh at 30 cents; at the worst rate, 20; 0.9 x 300 kW-days x 24 = 6480 kWh at 20.
    row = risk.row("contract_risk", contract_id="ALL-IN", month="2025-06")
    assert pick(row, *STRESS) == (120000, 150000, 80400)


def test_breakeven_by_hand(risk: Computed) -> None:
    # 210000 / 3000 cents a kWh; 210000 / (300 x 24 x 20).
    row = risk.row("contract_risk", contract_id="ALL-IN", month="2025-06")
    assert pick(row, "breakeven_rate", "breakeven_utilization") == (70, Decimal("1.458333"))


def test_distribution_is_null_below_six_months(risk: Computed) -> None:
    row = risk.row("contract_risk", contract_id="ALL-IN", month="2025-05")
    assert pick(row, "risk_months", *DISTRIBUTION) == (5, None, None, None, None, None)
    assert None not in pick(row, *STRESS, "breakeven_rate", "breakeven_utilization")


def test_metered_energy_is_replayed_as_revenue_and_has_no_breakeven_utilization(risk: Computed) -> None:
    # 210000 + 3000 x 30 - 3000 r: 270000 … 240000. The overage (40 kW above the 10 reserved) is in the breakeven only:
    # revenue 2100.00 + 900.00 + 40.00 = 304000 / 3000.
    row = risk.row("contract_risk", contract_id="METERED", month="2025-06")
    assert pick(row, *DISTRIBUTION) == (255000, 240000, 15000, 240000, 247500)
    assert pick(row, "breakeven_rate", "breakeven_utilization") == (Decimal("101.333333"), None)
    # 300000 - 3000 x 30; 6480 kWh earn 30 and cost 20.
    assert pick(row, *STRESS) == (210000, 240000, 274800)


def test_history_is_replayed_on_this_months_terms(risk: Computed) -> None:
    # June: 2 x 300 + 20 x 100 = 2600.00; kWh_k = 100 x days_k x 600 / (10 x days_k) = 6000 for January to May, and June's
    # own 3000: 260000 - 6000 r: 200000, 188000, 176000, 164000, 152000; 260000 - 3000 x 20 = 200000. Mean 180000.
    row = risk.row("contract_risk", contract_id="GROWN", month="2025-06")
    assert pick(row, *DISTRIBUTION) == (180000, 152000, 28000, 152000, 166000)
    # The fee is no part of the breakeven: 260000 / 3000.
    assert row["breakeven_rate"] == Decimal("86.666667")


def test_months_without_a_known_utilization_are_no_history(risk: Computed) -> None:
    assert risk.row("contract_risk", contract_id="UNKNOWN-U", month="2025-06")["risk_months"] == 5
    assert risk.row("contract_risk", contract_id="UNKNOWN-U", month="2025-01")["risk_months"] == 0


def test_settings_of_the_replay_are_used(risk: Computed) -> None:
    # The value at index floor(0.2 x 5) = 1 is the second worst; aversion 1 takes all of the risk; at twice the price.
    month = months.parse("2025-06")
    settings = load_settings(
        home=risk.settings.home, risk_percentile=Decimal("0.2"), risk_aversion=Decimal(1), stress_price_factor=Decimal(2)
    )
    frames = {
        table.name: read_partitions(risk.connection, table, risk.settings.months)
        for table in (schemas.CONTRACT_MONTH, schemas.SITE_MONTH)
    }
    terms = read_partitions(risk.connection, schemas.CONTRACT_TERMS, [month])
    found = contract_risk(month, settings, contract_terms=terms, **frames).set_index("contract_id").loc["ALL-IN"]
    assert found["margin_p5_cents"] == 156000
    assert found["margin_at_risk_cents"] == 9000
    assert found["risk_weighted_margin_cents"] == 156000
    assert found["stress_price_cents"] == 90000


def test_month_without_a_known_rate_has_no_stress(tmp_path_factory: Factory) -> None:
    world = World(tmp_path_factory.mktemp("idle")).version().readings("2025-03-01", "2025-03-31", 0, 0)
    row = world.row("contract_risk")
    assert pick(row, "risk_months", *STRESS, "breakeven_rate", "breakeven_utilization") == (0, None, None, None, None, None)
