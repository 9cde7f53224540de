"""Who earns and whose usage eats the margin: figures by hand over three contracts of two customers at two sites."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from revenue_integrity.model.report import Published
from revenue_integrity.streams.colocation import report_earnings as earnings
from revenue_integrity.wording import Currency

MONTH = date(2025, 6, 1)

NAMES = {
    "customers": pd.DataFrame({"customer_id": ["CU-1", "CU-2"], "customer_name": ["Northwind", None]}),
    "sites": pd.DataFrame({"site_id": ["S-1", "S-2"], "site_name": ["Frankfurt 1", "Ashburn 2"]}),
}


def _contract(contract: str, customer: str, site: str, active: int, kw_days: int, kwh: int, margin: int) -> dict[str, Any]:
    return {
        "contract_id": contract,
        "customer_id": customer,
        "site_id": site,
        "active_days": active,
        "rack_days": active * 4,
        "assigned_racks": Decimal(3),
        "reserved_kw_days": Decimal(kw_days),
        "used_kwh": Decimal(kwh),
        "usage_cv": Decimal("0.2"),
        "load_factor": Decimal("0.7"),
        "revenue_cents": 100_000,
        "power_cost_cents": 100_000 - margin,
        "margin_cents": margin,
    }


def _bridge(contract: str, customer: str, opening: int, revenue: int, usage: int, rate: int) -> dict[str, Any]:
    return {
        "contract_id": contract,
        "customer_id": customer,
        "site_id": "S-1",
        "opening_margin_cents": opening,
        "revenue_effect_cents": revenue,
        "usage_effect_cents": usage,
        "rate_effect_cents": rate,
        "closing_margin_cents": opening + revenue + usage + rate,
    }


def published(*bridge: dict[str, Any], **tables: pd.DataFrame) -> Published:
    """Return June with three contracts: the last one began in the middle of the month."""
    contracts = [
        _contract("K-1", "CU-1", "S-1", 30, 600, 7_200, 40_000),
        _contract("K-2", "CU-1", "S-2", 30, 300, 3_600, -5_000),
        _contract("K-3", "CU-2", "S-1", 15, 300, 3_600, 20_000),
    ]
    found = {"contract_month": pd.DataFrame(contracts, dtype=object), **NAMES, **tables}
    if bridge:
        found["margin_bridge"] = pd.DataFrame(list(bridge))
    return Published(MONTH, Currency("EUR"), found)


def test_power_and_racks_are_means_over_the_month_also_of_contracts_that_began_inside_it() -> None:
    rows = published().rows(earnings.usage_by("site"))
    assert rows is not None
    shown = rows.set_index("site")
    # 900 kW-days over 30 days; 10,800 kWh over 720 hours; 180 rack-days contracted, 135 assigned.
    frankfurt = shown.loc["Frankfurt 1"]
    assert [frankfurt[name] for name in ("contracts", "contracted_kw", "used_kw")] == [2, Decimal(30), Decimal(15)]
    assert [frankfurt[name] for name in ("contracted_racks", "assigned_racks")] == [Decimal(6), Decimal("4.5")]
    assert [frankfurt[name] for name in ("power_utilization", "rack_utilization")] == [Decimal("0.5"), Decimal("0.75")]
    assert frankfurt["margin_cents"] == 60_000
    assert rows["site"].tolist() == ["Frankfurt 1", "Ashburn 2"]


def test_customers_without_a_name_stand_under_their_id() -> None:
    rows = published().rows(earnings.usage_by("customer"))
    assert rows is not None
    assert dict(zip(rows["customer"], rows["margin_cents"], strict=True)) == {"Northwind": 35_000, "CU-2": 20_000}


def test_contracts_stand_by_their_margin_and_those_that_lose_are_not_among_the_best() -> None:
    month = published()
    assert [list(found["contract_id"]) for found in map(month.rows, (earnings.best, earnings.worst)) if found is not None] == [
        ["K-1", "K-3"],
        ["K-2", "K-3", "K-1"],
    ]


def test_racks_have_the_customer_of_their_contract_and_their_share_of_margin() -> None:
    racks = [
        {"rack_id": "R-1", "contract_id": "K-1", "site_id": "S-1", "revenue_cents": 50_000, "margin_cents": 12_500},
        {"rack_id": "R-2", "contract_id": "K-1", "site_id": "S-1", "revenue_cents": 50_000, "margin_cents": 27_500},
        {"rack_id": "UNASSIGNED", "contract_id": "K-3", "site_id": "S-1", "revenue_cents": 0, "margin_cents": 0},
    ]
    rows = published(rack_month=pd.DataFrame(racks)).rows(earnings.racks)
    assert rows is not None
    assert rows[["rack_id", "customer", "margin_pct"]].to_numpy().tolist() == [
        ["R-2", "Northwind", Decimal("0.55")],
        ["R-1", "Northwind", Decimal("0.25")],
        ["UNASSIGNED", "CU-2", None],
    ]


def test_usage_took_the_margin_where_it_fell_and_price_took_no_more_of_it() -> None:
    month = published(
        _bridge("K-1", "CU-1", 50_000, 0, -8_000, -2_000),
        # The price of power took more than usage.
        _bridge("K-2", "CU-1", 5_000, 0, -4_000, -6_000),
        # Usage lowered the margin, but revenue raised it by more.
        _bridge("K-3", "CU-2", 10_000, 19_000, -9_000, 0),
    )
    rows = month.rows(earnings.usage_effects)
    assert rows is not None
    assert dict(zip(rows["contract_id"], rows["took"], strict=True)) == {"K-3": False, "K-1": True, "K-2": False}
    assert (
        earnings.usage_words(month)
        == "Usage, not price, took the margin of 1 contract, (€80.00) in all: Northwind (K-1) (€80.00)."
    )
    points = month.rows(earnings.scattered)
    assert points is not None
    assert points["series"].tolist() == [earnings.OTHERS, earnings.OTHERS, earnings.TOOK]


def test_a_contract_that_ended_has_no_point_but_counts() -> None:
    month = published(_bridge("K-9", "CU-1", 9_000, -5_000, -4_000, 0))
    points = month.rows(earnings.scattered)
    assert points is not None
    assert points.empty
    assert "(K-9)" in earnings.usage_words(month)


def test_the_first_month_has_nothing_to_compare_with() -> None:
    assert earnings.usage_words(published()) == ""
    assert published().rows(earnings.eaten) is None
    none_lost = published(_bridge("K-1", "CU-1", 1_000, 500, 0, 0))
    assert earnings.usage_words(none_lost) == "", "the table below says it"
    assert replace(published(), tables={}).rows(earnings.racks) is None
