"""Which racks earn what: the contract's figures by rated power times days. March 2025 has 31 days."""

from collections.abc import Iterator
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick


@pytest.fixture(scope="module")
def racks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("racks"))

    def rack(contract: str, name: str, kw: object, first: str = "2025-01-01", last: str = "") -> None:
        world.add("rack_assignments", rack_id=name, contract_id=contract, rated_kw=kw, installed_on=first, removed_on=last)

    def site(name: str, **values: Any) -> None:
        world.add("sites", site_id=f"S-{name}", capacity_kw=10)
        world.version(**({"contract_id": name, "site_id": f"S-{name}", "racks": 1, "rack_price": 0, "kw_price": 0} | values))

    # Weights 4 x 31 = 124, 8 x 10 = 80 (22nd to 31st), 2 x 1 = 2 -> 206; revenue 100.00, cost 10.00.
    site("A", rack_price=100)
    rack("A", "R1", 4)
    rack("A", "R2", 8, "2025-03-22")
    rack("A", "R3", 2, "2025-02-01", "2025-03-01")
    rack("A", "R4", 50, "2025-01-01", "2025-02-28")
    world.bill("10.00", site_id="S-A")
    # None assigned, a credit for cost.
    site("B", rack_price=100)
    world.bill("-10.00", site_id="S-B")
    # Three equal racks, 1 cent of revenue, 2 cents of credit.
    site("C", rack_price="0.01")
    for name in ("RZ", "RX", "RY"):
        rack("C", name, 5)
    world.bill("-0.02", site_id="S-C")
    # Rated at nothing: equal weights. A rack that came back counts both times.
    site("D", rack_price="0.03")
    rack("D", "R1", 0)
    rack("D", "R2", 0)
    site("E", rack_price=100)
    rack("E", "R1", 1, "2025-03-01", "2025-03-05")
    rack("E", "R1", 1, "2025-03-11", "2025-03-15")
    rack("E", "R2", 3, "2025-03-01", "2025-03-10")
    with world.computed("rack_month") as computed:
        yield computed


def split(racks: Computed, contract: str) -> list[tuple[Any, ...]]:
    rows = racks.rows("rack_month", contract_id=contract)
    return [pick(row, "rack_id", "revenue_cents", "power_cost_cents", "margin_cents") for row in rows]


def test_split_is_by_rated_power_times_days(racks: Computed) -> None:
    # 10000 x 124 / 206 = 6019.417, 80: 3883.495, 2: 97.087; floors 9999, the cent to R2 (.495).
    # 1000 x: 601.94, 388.35, 9.709; floors 998, a cent each to R1 and R3.
    assert split(racks, "A") == [("R1", 6019, 602, 5417), ("R2", 3884, 388, 3496), ("R3", 97, 10, 87)]


def test_contract_without_racks_has_one_row(racks: Computed) -> None:
    assert split(racks, "B") == [("UNASSIGNED", 10000, -1000, 11000)]


def test_ties_go_to_the_smaller_rack(racks: Computed) -> None:
    assert split(racks, "C") == [("RX", 1, -1, 2), ("RY", 0, -1, 1), ("RZ", 0, 0, 0)]


def test_racks_rated_at_nothing_count_equally(racks: Computed) -> None:
    assert [row[1] for row in split(racks, "D")] == [2, 1]


def test_rack_that_came_back_counts_both_times(racks: Computed) -> None:
    # R1 5 + 5 days x 1, R2 10 days x 3: a quarter and three.
    assert [row[:2] for row in split(racks, "E")] == [("R1", 2500), ("R2", 7500)]


def test_racks_add_up_to_their_contract(racks: Computed) -> None:
    for contract in racks.rows("contract_month"):
        rows = racks.rows("rack_month", contract_id=contract["contract_id"])
        for name in ("revenue_cents", "power_cost_cents", "margin_cents"):
            assert sum(row[name] for row in rows) == contract[name], (contract["contract_id"], name)


def test_rack_daily_counts_both_ends_and_only_days_in_force(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("daily")).version(effective_from="2025-03-05", effective_to="2025-03-09", racks=1)
    world.add("rack_assignments", rack_id="R1", installed_on="2025-03-01", removed_on="2025-03-06", rated_kw=4)
    world.add("rack_assignments", rack_id="R2", installed_on="2025-03-06", removed_on="2025-03-08", rated_kw="2.5")
    world.add("rack_assignments", rack_id="R3", installed_on="2025-03-10", rated_kw=9)
    rows = world.rows("rack_daily")
    assert [pick(row, "date", "assigned_racks", "contracted_racks") for row in rows] == [
        ("2025-03-05", 1, 1),
        ("2025-03-06", 2, 1),
        ("2025-03-07", 1, 1),
        ("2025-03-08", 1, 1),
        ("2025-03-09", 0, 1),
    ]
    assert [str(row["rated_kw"]) for row in rows] == ["4", "6.5", "2.5", "2.5", "0"]
