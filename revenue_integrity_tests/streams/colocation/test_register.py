"""The register of metrics and the assumptions: what they name exists, and how much rests on an assumption."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from revenue_integrity.streams.colocation.register import METRICS
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity_tests.streams.colocation.world import Computed, World, pick

HEADLINES = [
    "contracted vs used power",
    "rack utilization",
    "MRR",
    "customer expansion",
    "power cost allocation",
    "margin by customer",
    "revenue as-of close",
    "ERP variance",
]


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("register"), late_after_days=2)
    # 31 days of 144 kWh by default; and ten days: six of 100, one of them late, one of 500 after at least seven, two gaps.
    world.version(contract_id="BLIND")
    world.version(contract_id="SEEN", effective_from="2025-02-20", effective_to="2025-03-10")
    world.readings("2025-02-20", "2025-03-05", 100, contract_id="SEEN")
    world.reading("2025-03-06", 100, contract_id="SEEN", arrival="20250320T000000Z")
    world.reading("2025-03-07", 500, contract_id="SEEN")
    world.reading("2025-03-10", 100, contract_id="SEEN")
    world.add("sites", site_id="S-2").bill(25, site_id="S-2")
    world.bill("446.40", service_month="2025-02", site_id="S-1")
    with world.computed() as computed:
        yield computed


def test_register_holds_the_headline_metrics(register: Computed) -> None:
    rows = register.rows("metric_register")
    assert sorted(row["metric"] for row in rows) == sorted(HEADLINES)
    assert all(value for row in rows for value in row.values())


def test_checks_named_in_the_register_exist() -> None:
    # The digests of batches are judged where the manifest is read; every other check is declared by the stream.
    known = {check.name for check in COLOCATION.checks} | {"batch_digests_are_unchanged"}
    named = {name for metric in METRICS for name in metric.validating_checks.split(", ")}
    assert named <= known


def test_assumptions_show_the_values_in_force(register: Computed) -> None:
    rows = {row["assumption"]: row for row in register.rows("assumptions")}
    assert pick(rows["late_after_days"], "value", "unit") == ("2", "days")
    assert rows["allocation_method"]["value"] == "hybrid"
    assert rows["default_load_factor"]["value"] == "0.6"
    assert all(row["drives"] in HEADLINES or ", " in row["drives"] for row in rows.values())


def test_assumptions_say_how_much_rests_on_them(register: Computed) -> None:
    rows = {row["assumption"]: row for row in register.rows("assumptions")}
    # 8 and 9 March: Saturday and Sunday. Their look-backs hold two of each (22 February and 1 March; 23 and 2): 100.
    # March in all: 31 x 144 = 4464, and 5 x 100 + 100 + 500 + 2 x 100 + 100 = 1400: 5864 kWh.
    assert pick(rows["default_load_factor"], "affected_rows", "affected_share") == (33, Decimal("0.795362"))  # 4664
    assert pick(rows["late_after_days"], "affected_rows", "affected_share") == (1, Decimal("0.017053"))  # 100
    assert pick(rows["suspect_factor"], "affected_rows", "affected_share") == (1, Decimal("0.085266"))  # 500
    assert pick(rows["allocation_method"], "affected_rows", "affected_share") == (2, 1)
    assert rows["close_timezone"]["affected_rows"] is None


def test_accrued_share_is_of_power_cents(register: Computed) -> None:
    # February at S-1: BLIND 28 x 144 = 4032 and SEEN 9 x 100 = 900 metered, 446.40 billed; March 5864 kWh: 530.76.
    # Beside it the bill of 25.00.
    row = register.row("assumptions", assumption="accrual_months")
    accrued = 53076
    assert register.row("power_bills", site_id="S-1")["total_cents"] == accrued
    assert pick(row, "affected_rows", "affected_share") == (1, round(Decimal(accrued) / (accrued + 2500), 6))
