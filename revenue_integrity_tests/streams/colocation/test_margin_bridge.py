"""Why a margin moved from February (28 days) to March 2025 (31)."""

from collections.abc import Iterator
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

PARTS = (
    "opening_margin_cents",
    "revenue_effect_cents",
    "usage_effect_cents",
    "rate_effect_cents",
    "closing_margin_cents",
)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    """Each contract alone at a site of which it reserves all, so that it bears the whole bill."""
    world = World(tmp_path_factory.mktemp("bridge"), first_month="2025-02")

    def contract(name: str, february: tuple[object, object], march: tuple[object, object], **values: Any) -> None:
        """Kilowatt-hours a month, read on the first day in force, and the bill."""
        world.add("sites", site_id=name, capacity_kw=10)
        world.version(**({"contract_id": name, "site_id": name, "effective_from": "2025-02-01"} | values))
        for month, (kwh, bill) in (("2025-02", february), ("2025-03", march)):
            world.bill(bill, site_id=name, service_month=month)
            world.readings(f"{month}-01", f"{month}-{28 if month == '2025-02' else 31}", 0, 0, meter_id=f"M-{name}",
                           contract_id=name, site_id=name)  # fmt: skip
            if kwh:
                day, came = f"{month}-01", f"{month.replace('-', '')}02T000000Z"
                world.reading(day, kwh, 100, arrival=came, meter_id=f"M-{name}", contract_id=name, site_id=name)

    contract("BOTH", (1000, "100.00"), (1500, "120.00"))
    contract("THIRDS", (300, "1.00"), (400, "1.00"))
    contract("UNUSED", (0, "50.00"), (100, "80.00"))
    contract("STARTS", (0, 0), (100, "30.00"), effective_from="2025-03-01")
    contract("ENDS", (100, "30.00"), (0, 0), effective_to="2025-02-28")
    with world.computed("margin_bridge") as computed:
        yield computed


def test_usage_at_last_months_price_and_the_rest_is_price(bridge: Computed) -> None:
    # 10 cents a kWh in February: 500 kWh more cost 50.00; the bill rose by 20.00 only, so price gave back 30.00.
    row = bridge.row("margin_bridge", contract_id="BOTH", month="2025-03")
    assert pick(row, *PARTS) == (200000, 0, -5000, 3000, 198000)


def test_usage_effect_is_rounded_once(bridge: Computed) -> None:
    # 100 kWh more at 100 / 300 cents: 33.33 -> 33; cost did not change, so price takes it back.
    row = bridge.row("margin_bridge", contract_id="THIRDS", month="2025-03")
    assert pick(row, *PARTS) == (209900, 0, -33, 33, 209900)


def test_usage_effect_is_zero_where_nothing_was_drawn(bridge: Computed) -> None:
    # Nothing metered in February: its energy charge was stranded, and there is no price per kWh.
    row = bridge.row("margin_bridge", contract_id="UNUSED", month="2025-03")
    assert pick(row, *PARTS) == (210000, 0, 0, -8000, 202000)


def test_contract_that_starts_moves_from_nothing(bridge: Computed) -> None:
    row = bridge.row("margin_bridge", contract_id="STARTS", month="2025-03")
    assert pick(row, *PARTS) == (0, 210000, 0, -3000, 207000)


def test_contract_that_ended_moves_to_nothing(bridge: Computed) -> None:
    # 100 kWh less at 30 cents: 30.00 saved by usage.
    row = bridge.row("margin_bridge", contract_id="ENDS", month="2025-03")
    assert pick(row, *PARTS) == (207000, -210000, 3000, 0, 0)


def test_first_month_of_the_deployment_opens_at_nothing(bridge: Computed) -> None:
    assert {row["opening_margin_cents"] for row in bridge.rows("margin_bridge", month="2025-02")} == {0}


def test_every_row_adds_up_and_closes_at_the_margin(bridge: Computed) -> None:
    margins = {pick(row, "month", "contract_id"): row["margin_cents"] for row in bridge.rows("contract_month")}
    for row in bridge.rows("margin_bridge"):
        opening, revenue, usage, rate, closing = pick(row, *PARTS)
        assert opening + revenue + usage + rate == closing == margins.get(pick(row, "month", "contract_id"), 0)
