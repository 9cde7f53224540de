"""Sites: energy billed against metered, capacity sold, and what is left after stranded cost. March 2025 has 31 days."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, World, pick


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("sites"))
    # 1,600 kWh metered against 2,080 billed; 10 kW of 40 sold, for 16 of 31 days.
    world.add("sites", site_id="BUSY", capacity_kw=40)
    world.version(contract_id="A", site_id="BUSY", effective_from="2025-03-16")
    world.readings("2025-03-16", "2025-03-31", 100, site_id="BUSY")
    world.bill("10.00", "31.00", site_id="BUSY", kwh=2080)
    # The meters exceed the bill: 4,464 kWh by default against 4,000.
    world.add("sites", site_id="ODD").version(contract_id="B", site_id="ODD").bill(1, site_id="ODD", kwh=4000)
    world.add("sites", site_id="VACANT").bill("5.00", "2.00", site_id="VACANT", kwh=10)
    world.add("sites", site_id="IDLE").version(contract_id="C", site_id="IDLE", reserved_kw=0).bill(1, site_id="IDLE")
    world.add("sites", site_id="ABSENT")
    with world.computed("site_month") as computed:
        yield computed


def test_site_by_hand(sites: Computed) -> None:
    row = sites.row("site_month", site_id="BUSY")
    # 2080 / 1600; 10 x 16 / 31 kW; over 40: 160 / 1240; 4100 cents / 1600 kWh.
    assert pick(row, "billed_kwh", "metered_kwh", "pue") == (2080, 1600, Decimal("1.3"))
    assert pick(row, "reserved_kw", "capacity_kw", "sold_share") == (Decimal("5.16129"), 40, Decimal("0.129032"))
    assert pick(row, "billed_cents", "effective_rate") == (4100, Decimal("2.5625"))
    # Demand 3100 x 160 / 1240 = 400 to A, 2700 stranded. A: 2100.00 x 16/31: rack 309.68 + power 774.19; less 10.00 + 4.00.
    assert row["stranded_cents"] == 2700
    assert row["margin_cents"] == 30968 + 77419 - 1400 - 2700


def test_meters_above_the_bill_show_below_one(sites: Computed) -> None:
    assert sites.row("site_month", site_id="ODD")["pue"] == Decimal("0.896057")


def test_site_with_a_bill_and_no_service_loses_it(sites: Computed) -> None:
    row = sites.row("site_month", site_id="VACANT")
    assert pick(row, "metered_kwh", "pue", "effective_rate", "reserved_kw") == (0, None, None, 0)
    assert pick(row, "billed_cents", "stranded_cents", "margin_cents") == (700, 700, -700)


def test_site_without_metered_kwh_has_no_rate(sites: Computed) -> None:
    row = sites.row("site_month", site_id="IDLE")
    assert pick(row, "metered_kwh", "effective_rate", "sold_share") == (0, None, 0)


def test_site_without_service_and_bill_has_no_row(sites: Computed) -> None:
    assert sites.rows("site_month", site_id="ABSENT") == []
    assert sites.rows("sites", site_id="ABSENT") == []
    # S-1 is the default site of these worlds, and nothing stands there.
    assert sites.rows("site_month", site_id="S-1") == []
