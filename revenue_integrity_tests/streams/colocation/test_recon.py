"""Every reconciliation on rows worked by hand: sides, variances, statuses in integers, totals; and the bridge of the close.

Causes have tests of their own (``test_causes``). The cutoff of March 2025 is the end of 7 April.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity_tests.streams.colocation.world import Computed, Row, World, pick

MARCH, APRIL = "2025-03", "2025-04"
AT_CUTOFF, AFTER_CUTOFF = "2025-04-07T23:59:59.999999Z", "2025-04-08T00:00:00.000000Z"


def contract(world: World, name: str, rack_price: object) -> None:
    """Add a customer with one contract of one rack and nothing else, in service in March only."""
    world.add("customers", customer_id=f"CU-{name}")
    world.version(
        contract_id=name, customer_id=f"CU-{name}", racks=1, rack_price=rack_price, reserved_kw=0,
        effective_from="2025-03-01", effective_to="2025-03-31",
    )  # fmt: skip
    world.add("erp_mapping", erp_customer_code=f"E-{name}", erp_contract_ref="R", contract_id=name, customer_id=f"CU-{name}")


def line(world: World, name: str, amount: object, document: str = "D", **values: object) -> None:
    """Add an invoice line of a contract."""
    facts: dict[str, Any] = {"document_id": f"{document}-{name}", "erp_customer_code": f"E-{name}", "erp_contract_ref": "R"}
    world.add("erp_invoices", **(facts | {"unit_price": amount, "amount": amount} | values))


BOUNDARIES: dict[str, tuple[str, str, tuple[int, str | None, str]]] = {
    # name: due, billed, then variance in cents, variance_pct, status.
    "EQUAL": ("100.00", "100.00", (0, "0.000000", "matched")),
    "A-CENT": ("100.00", "100.01", (1, "0.000100", "within_tolerance")),
    "100-CENTS": ("50.00", "51.00", (100, "0.020000", "within_tolerance")),
    "101-CENTS": ("50.00", "51.01", (101, "0.020200", "breach")),
    "100-CENTS-LESS": ("50.00", "49.00", (-100, "-0.020000", "within_tolerance")),
    "101-CENTS-LESS": ("50.00", "48.99", (-101, "-0.020200", "breach")),
    "1-PERCENT": ("1234.00", "1246.34", (1234, "0.010000", "within_tolerance")),
    "1-PERCENT-AND-A-CENT": ("1234.00", "1246.35", (1235, "0.010008", "breach")),
    "1-PERCENT-LESS": ("1234.00", "1221.66", (-1234, "-0.010000", "within_tolerance")),
    "1-PERCENT-AND-A-CENT-LESS": ("1234.00", "1221.65", (-1235, "-0.010008", "breach")),
    # A cent of 20,000.00 is 0.0000005: half a millionth, away from zero.
    "HALF-A-MILLIONTH": ("20000.00", "20000.01", (1, "0.000001", "within_tolerance")),
    "HALF-A-MILLIONTH-LESS": ("20000.00", "19999.99", (-1, "-0.000001", "within_tolerance")),
    # With nothing due there is no percentage, and only the absolute rule.
    "BASE-0": ("0.00", "1.00", (100, None, "within_tolerance")),
    "BASE-0-AND-A-CENT": ("0.00", "1.01", (101, None, "breach")),
    "BASE-0-NEGATIVE": ("0.00", "-1.01", (-101, None, "breach")),
    "NOT-BILLED": ("250.00", "", (-25000, "-1.000000", "breach")),
}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("compared"))
    for name, (due, billed, _) in BOUNDARIES.items():
        contract(world, name, due)
        if billed:
            line(world, name, billed)
    # In time to the microsecond, a microsecond late, and both.
    contract(world, "AT-CUTOFF", 100)
    line(world, "AT-CUTOFF", 100, posted_at=AT_CUTOFF)
    contract(world, "AFTER-CUTOFF", 100)
    line(world, "AFTER-CUTOFF", 100, posted_at=AFTER_CUTOFF)
    contract(world, "HALF-LATE", 100)
    line(world, "HALF-LATE", 60)
    line(world, "HALF-LATE", 40, "LATE", posted_at=AFTER_CUTOFF)
    # Lines that resolve to no contract: of a customer, and of nobody.
    contract(world, "UNMAPPED", 100)
    line(world, "UNMAPPED", 70, erp_contract_ref="R-OLD")
    line(world, "UNMAPPED", 30, "D2", erp_contract_ref="R-OLDER", posted_at=AFTER_CUTOFF)
    line(world, "STRANGER", 5)
    with world.computed("recon_summary", "close_bridge") as computed:
        yield computed


def results(computed: Computed, recon: str, **wanted: object) -> list[Row]:
    return computed.rows("recon_results", recon=recon, **wanted)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_tolerance_is_compared_in_integers(compared: Computed, name: str) -> None:
    due, billed, (variance, pct, status) = BOUNDARIES[name]
    for view in ("current", "as_of_close"):
        (row,) = results(compared, "erp_vs_mart", contract_id=name, view=view)
        assert pick(row, "left_cents", "right_cents") == (int(Decimal(billed or 0) * 100), int(Decimal(due) * 100))
        assert pick(row, "variance_cents", "variance_pct", "status") == (variance, Decimal(pct) if pct else None, status)
        assert pick(row, "unit", "left_value", "right_value", "variance_value") == ("cents", None, None, None)


@pytest.mark.parametrize(("billed", "status"), [("0.51", "within_tolerance"), ("0.52", "breach"), ("0.49", "within_tolerance")])
def test_two_percent_exactly_is_two_percent(tmp_path: Path, billed: str, status: str) -> None:
    """1 cent of 50; as floats, 0.51 / 0.50 − 1 is more than 0.02."""
    assert 0.51 / 0.50 - 1 > 0.02
    world = World(tmp_path, tolerance_cents=0, tolerance_share="0.02")
    contract(world, "A", "0.50")
    line(world, "A", billed)
    assert world.row("recon_results", recon="erp_vs_mart", view="current")["status"] == status


def test_both_views_have_the_same_rows(compared: Computed) -> None:
    for recon in ("erp_vs_mart", "population"):
        keys = [{row["row_key"] for row in results(compared, recon, view=view)} for view in ("current", "as_of_close")]
        assert keys[0] == keys[1] != set()


@pytest.mark.parametrize(
    ("name", "as_of_close", "current"),
    [
        ("AT-CUTOFF", (10000, 0, "matched"), (10000, 0, "matched")),
        ("AFTER-CUTOFF", (0, -10000, "breach"), (10000, 0, "matched")),
        ("HALF-LATE", (6000, -4000, "breach"), (10000, 0, "matched")),
    ],
)
def test_only_lines_posted_by_the_cutoff_are_as_of_close(
    compared: Computed, name: str, as_of_close: tuple[int, int, str], current: tuple[int, int, str]
) -> None:
    found = {row["view"]: row for row in results(compared, "erp_vs_mart", contract_id=name)}
    columns = ("left_cents", "variance_cents", "status")
    assert (pick(found["as_of_close"], *columns), pick(found["current"], *columns)) == (as_of_close, current)
    assert {row["right_cents"] for row in found.values()} == {10000}


def test_lines_without_a_contract_are_rows_of_their_customer(compared: Computed) -> None:
    rows = [row for row in results(compared, "erp_vs_mart") if row["contract_id"] is None]
    found = {pick(row, "view", "customer_id", "charge_type"): pick(row, "left_cents", "right_cents") for row in rows}
    assert len(rows) == len(found)
    assert found == {
        ("as_of_close", "CU-UNMAPPED", "rack"): (7000, 0),
        ("as_of_close", None, "rack"): (500, 0),
        ("current", "CU-UNMAPPED", "rack"): (10000, 0),
        ("current", None, "rack"): (500, 0),
    }


def test_population_counts_contracts_and_leaves_lines_without_one_apart(compared: Computed) -> None:
    def standing(name: str, view: str) -> tuple[object, ...]:
        (row,) = results(compared, "population", contract_id=name, view=view)
        assert pick(row, "unit", "left_cents", "right_cents", "variance_cents") == ("count", None, None, None)
        return pick(row, "left_value", "right_value", "variance_value", "variance_pct", "status")

    assert standing("EQUAL", "current") == (1, 1, 0, Decimal(0), "matched")
    assert standing("AFTER-CUTOFF", "current") == (1, 1, 0, Decimal(0), "matched")
    assert standing("AFTER-CUTOFF", "as_of_close") == (0, 1, -1, Decimal(-1), "breach")
    assert standing("NOT-BILLED", "current") == (0, 1, -1, Decimal(-1), "breach")
    assert standing("BASE-0", "current") == (1, 0, 1, None, "breach")
    assert all(row["contract_id"] for row in results(compared, "population"))


def test_totals_are_signed_and_gross(compared: Computed) -> None:
    summary = compared.row("recon_summary", recon="erp_vs_mart", view="current")
    rows = results(compared, "erp_vs_mart", view="current")
    # Worked from the table of boundaries; the unmapped rows add 100.00 and 5.00, and their contract lacks 100.00.
    variances = [variance for _, _, (variance, _, _) in BOUNDARIES.values()]
    assert summary["variance_signed"] == sum(variances) + 500
    assert summary["variance_gross"] == sum(map(abs, variances)) + 20500
    assert summary["variance_signed"] != summary["variance_gross"]
    assert pick(summary, "rows", "matched", "within_tolerance", "breaches") == (len(rows), 4, 8, len(rows) - 12)
    assert summary["left_total"] - summary["right_total"] == summary["variance_signed"]


def test_summary_adds_up_causes(compared: Computed) -> None:
    as_of_close = compared.row("recon_summary", recon="erp_vs_mart", view="as_of_close")
    current = compared.row("recon_summary", recon="erp_vs_mart", view="current")
    # Late: 100.00, 40.00 and 30.00.
    assert json.loads(as_of_close["causes"]) == {"late_posting": -17000} | json.loads(current["causes"])
    assert (as_of_close["timing_cents"], as_of_close["timing_gross_cents"], current["timing_cents"]) == (-17000, 17000, 0)
    assert current["timing_cents"] + current["at_risk_cents"] == current["variance_signed"]
    assert sum(json.loads(current["causes_gross"]).values()) == current["at_risk_gross_cents"]
    assert json.loads(current["causes"])["unbilled"] == -25000
    explained = sum(json.loads(current["causes_gross"]).values()) - current["unexplained_cents"]
    share = Decimal(explained) / sum(json.loads(current["causes_gross"]).values())
    assert current["explained_pct"] == share.quantize(Decimal("0.000001"))


def test_summary_of_counts_has_no_cents(compared: Computed) -> None:
    summary = compared.row("recon_summary", recon="population", view="current")
    assert pick(summary, "unit", "causes", "timing_cents", "unexplained_cents") == ("count", None, None, None)


# Power.


@pytest.fixture(scope="module")
def power(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    """Build three sites: one with a stranded share, one whose booking came late, one without service."""
    world = World(tmp_path_factory.mktemp("power"))
    world.version(contract_id="A", reserved_kw=40)
    world.bill(1000, 500, 30, "-10.50", site_id="S-1")
    world.add("erp_power_costs", document_id="P1", amount="1519.50")
    world.add("sites", site_id="S-2").version(contract_id="B", site_id="S-2")
    world.bill(100, bill_id="B2", site_id="S-2")
    world.add("erp_power_costs", document_id="P2", site_id="S-2", amount="95.00", posted_at=AT_CUTOFF)
    world.add("erp_power_costs", document_id="P3", site_id="S-2", amount="6.01", posted_at=AFTER_CUTOFF)
    world.add("sites", site_id="S-3")
    world.bill(1000, bill_id="B3", site_id="S-3")
    world.add("erp_power_costs", document_id="P4", site_id="S-3", amount="1010.00")
    world.add("sites", site_id="S-4")
    world.bill(1000, bill_id="B4", site_id="S-4")
    world.add("erp_power_costs", document_id="P5", site_id="S-4", amount="1010.01")
    with world.computed("recon_results") as computed:
        yield computed


def test_bills_equal_their_allocation_charge_by_charge(power: Computed) -> None:
    rows = results(power, "power_bill_vs_allocated", site_id="S-1")
    assert {row["charge_type"]: pick(row, "view", "left_cents", "right_cents", "status") for row in rows} == {
        "energy": ("current", 100000, 100000, "matched"),
        "demand": ("current", 50000, 50000, "matched"),
        "fixed": ("current", 3000, 3000, "matched"),
        "tax": ("current", -1050, -1050, "matched"),
    }
    assert len(results(power, "power_bill_vs_allocated")) == 16


def test_booked_power_against_what_is_allocated(power: Computed) -> None:
    rows = results(power, "erp_vs_allocated_power")
    found = {(row["site_id"], row["view"]): pick(row, "left_cents", "right_cents", "variance_cents", "status") for row in rows}
    assert found == {
        ("S-1", "as_of_close"): (151950, 151950, 0, "matched"),
        ("S-1", "current"): (151950, 151950, 0, "matched"),
        ("S-2", "as_of_close"): (9500, 10000, -500, "breach"),
        ("S-2", "current"): (10101, 10000, 101, "breach"),
        # Without service all of a bill is stranded; 1 % exactly, and a cent more.
        ("S-3", "as_of_close"): (101000, 100000, 1000, "within_tolerance"),
        ("S-3", "current"): (101000, 100000, 1000, "within_tolerance"),
        ("S-4", "as_of_close"): (101001, 100000, 1001, "breach"),
        ("S-4", "current"): (101001, 100000, 1001, "breach"),
    }


# Energy: 100 kWh a day metered; December, January and March have 31 days, November 30, February 28.


@pytest.fixture(scope="module")
def energy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("energy"), first_month="2025-02", last_month="2025-03")

    def site(number: int, march: str | None, *earlier: tuple[str, object, str], status: str = "final") -> None:
        name = f"S-E{number}"
        world.add("sites", site_id=name)
        world.version(contract_id=f"A{number}", site_id=name, effective_from="2024-11-01")
        world.readings("2024-11-01", "2025-03-31", meter_id=f"M{number}", contract_id=f"A{number}", site_id=name)
        for month, kwh, kind in (*earlier, *([("2025-03", march, status)] if march else [])):
            world.bill(10, bill_id=f"B{number}-{month}", site_id=name, service_month=month, kwh=kwh, status=kind)

    november, december = ("2024-11", 9000, "final"), ("2024-12", 4650, "final")
    january, february = ("2025-01", 3100, "final"), ("2025-02", 2800, "final")
    site(0, "3100")
    site(1, "3100", december)
    site(2, "3815.583", december, january, february)
    site(3, "3815.584", november, december, january, february)
    site(4, "3452.194", december, january, february)
    site(5, None, december)
    site(6, "3100", december, ("2025-01", 9999, "estimated"), status="estimated")
    site(7, "3100", december, february)
    with world.computed("recon_results") as computed:
        yield computed


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        # No earlier final bill; and no bill this month, so an accrual, which would be compared with itself.
        (0, None),
        (5, None),
        # One: 4650 / 3100 × 3100 kWh.
        (1, (3_100_000, 4_650_000, "breach")),
        # Three: (4650 + 3100 + 2800) / 9000 × 3100 = 3633.888…; 5 % of 3,633,889 Wh is 181,694.45.
        (2, (3_815_583, 3_633_889, "within_tolerance")),
        # November is a fourth and takes no part; 181,695 Wh too much.
        (3, (3_815_584, 3_633_889, "breach")),
        (4, (3_452_194, 3_633_889, "breach")),
        # An estimated bill is no basis, but is compared.
        (6, (3_100_000, 4_650_000, "breach")),
        # Two with a gap between them: (4650 + 2800) / 5900 × 3100 = 3914.4067…
        (7, (3_100_000, 3_914_407, "breach")),
    ],
)
def test_billed_energy_against_metered_energy(energy: Computed, site: int, expected: tuple[int, int, str] | None) -> None:
    rows = results(energy, "metered_vs_billed_kwh", site_id=f"S-E{site}", month=MARCH)
    assert [pick(row, "left_value", "right_value", "status") for row in rows] == ([expected] if expected else [])
    assert all(pick(row, "unit", "view", "left_cents") == ("wh", "current", None) for row in rows)


# Recurring revenue.


def test_mrr_bridge_ties_from_the_first_month_on(tmp_path: Path) -> None:
    """Customer 1 had 600.00 before the deployment and gets 900.00 in March; customer 2 comes in March, 3 left in February."""
    world = World(tmp_path, first_month="2025-02", last_month="2025-03")
    world.version(contract_id="A", effective_from="2024-06-01", reserved_kw=0)
    world.version(contract_id="A", version=2, effective_from="2025-03-10", reserved_kw=0, racks=3, amendment_type="upsell")
    for number, (first, last) in {2: ("2025-03-05", ""), 3: ("2024-06-01", "2025-02-10")}.items():
        world.add("customers", customer_id=f"CU-{number}")
        world.version(
            contract_id=f"B{number}", customer_id=f"CU-{number}", effective_from=first, effective_to=last, reserved_kw=0
        )
    rows = world.rows("recon_results", recon="mrr_bridge")
    assert [pick(row, "month", "customer_id", "view", "left_cents", "right_cents", "status") for row in rows] == [
        ("2025-02", "CU-1", "current", 60000, 60000, "matched"),
        ("2025-02", "CU-3", "current", 0, 0, "matched"),
        (MARCH, "CU-1", "current", 90000, 90000, "matched"),
        (MARCH, "CU-2", "current", 60000, 60000, "matched"),
    ]


# Sources that never delivered.


@pytest.mark.parametrize(
    ("missing", "recons"),
    [
        ("", {"erp_vs_mart", "population", "power_bill_vs_allocated", "erp_vs_allocated_power", "mrr_bridge"}),
        ("erp_invoices", {"power_bill_vs_allocated", "erp_vs_allocated_power", "mrr_bridge"}),
        ("erp_power_costs", {"erp_vs_mart", "population", "power_bill_vs_allocated", "mrr_bridge"}),
    ],
)
def test_a_reconciliation_is_absent_where_its_source_never_delivered(tmp_path: Path, missing: str, recons: set[str]) -> None:
    world = World(tmp_path).version().bill(10)
    for source in {"erp_invoices", "erp_power_costs"} - {missing}:
        world.add(source)
    with world.computed("recon_summary") as computed:
        assert {row["recon"] for row in computed.rows("recon_results")} == recons
        assert {row["recon"] for row in computed.rows("recon_summary")} == recons
        assert {row["recon"] for row in computed.rows("recon_causes")} <= recons


def test_without_power_bills_nothing_is_compared_with_them(tmp_path: Path) -> None:
    rows = World(tmp_path).version().add("erp_power_costs").rows("recon_results")
    assert {row["recon"] for row in rows} & {"power_bill_vs_allocated", "metered_vs_billed_kwh"} == set()


# The bridge of the close.


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("bridge"), first_month=MARCH, last_month=APRIL).version().add("erp_mapping")
    postings = [
        # March: in time, at the last instant, unmapped; and late by a microsecond: April's.
        (MARCH, "100.00", "2025-04-03T10:00:00Z", "R-A"),
        (MARCH, "10.00", AT_CUTOFF, "R-A"),
        (MARCH, "5.00", "2025-04-03T10:00:00Z", "R-UNKNOWN"),
        (MARCH, "1.00", AFTER_CUTOFF, "R-A"),
        # Earlier months, outside the deployment: late into March, into April, and long before; cutoffs are 7 March and 7 April.
        ("2025-02", "2.00", "2025-03-08T00:00:00Z", "R-A"),
        ("2024-12", "3.00", "2025-04-07T23:59:59.999999Z", "R-A"),
        ("2025-02", "4.00", "2025-04-09T00:00:00Z", "R-UNKNOWN"),
        ("2025-02", "1000.00", "2025-03-07T23:59:59.999999Z", "R-A"),
        ("2024-12", "2000.00", "2025-02-20T00:00:00Z", "R-A"),
        # April in time; a line of May posted early belongs to May; a credit.
        (APRIL, "20.00", "2025-05-02T00:00:00Z", "R-A"),
        (APRIL, "-0.50", "2025-05-02T00:00:00Z", "R-A"),
        ("2025-05", "4000.00", "2025-04-20T00:00:00Z", "R-A"),
    ]
    for number, (month, amount, posted_at, reference) in enumerate(postings):
        world.add(
            "erp_invoices", document_id=f"D{number}", service_month=month, amount=amount, unit_price=amount.strip("-"),
            posted_at=posted_at, erp_contract_ref=reference,
        )  # fmt: skip
    with world.computed("close_bridge") as computed:
        yield computed


@pytest.mark.parametrize(
    ("month", "as_of_close", "late", "current", "from_earlier", "recognized"),
    [(MARCH, 11500, 100, 11600, 500, 12000), (APRIL, 1950, 0, 1950, 500, 2450)],
)
def test_close_bridge(
    bridge: Computed, month: str, as_of_close: int, late: int, current: int, from_earlier: int, recognized: int
) -> None:
    assert bridge.row("close_bridge", month=month) == {
        "month": month,
        "as_of_close_cents": as_of_close,
        "late_cents": late,
        "current_cents": current,
        "recognized_here_from_earlier_cents": from_earlier,
        "recognized_cents": recognized,
    }


@pytest.mark.parametrize(
    ("posted_at", "late"),
    [("2025-03-11T03:59:59.999999Z", 0), ("2025-03-11T04:00:00Z", 1000), ("2025-03-10T23:59:59.999999-04:00", 0)],
)
def test_a_cutoff_after_the_clocks_change(tmp_path: Path, posted_at: str, late: int) -> None:
    """The 6th business day of March 2025 is the 10th; New York changed its clocks on the 9th: it ends at 04:00 UTC."""
    calendar: dict[str, Any] = {"cutoff_business_day": 6, "close_timezone": "America/New_York"}
    world = World(tmp_path, first_month="2025-02", last_month="2025-02", **calendar).version()
    world.add("erp_invoices", service_month="2025-02", posted_at=posted_at)
    row = world.row("close_bridge")
    assert pick(row, "late_cents", "as_of_close_cents") == (late, 1000 - late)


def test_holidays_move_the_cutoff(tmp_path: Path) -> None:
    world = World(tmp_path, holidays=["2025-04-04"]).version().add("erp_invoices", posted_at="2025-04-08T23:59:59.999999Z")
    assert world.row("close_bridge")["late_cents"] == 0
