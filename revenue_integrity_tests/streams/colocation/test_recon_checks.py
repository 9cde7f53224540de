"""Every check of reconciliations and deliveries, once where it passes and once where it fails, with its figures.

What only an error of the program could break is broken by hand, in a transaction that is rolled back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.model.check import Gate, Judgement
from revenue_integrity.streams.colocation.recon_checks import RECON_CHECKS
from revenue_integrity_tests.landing.support import put_rows
from revenue_integrity_tests.streams.colocation.world import EARLY, Computed, Row, World

IN_TIME, LATE = "2025-04-03T10:00:00Z", "2025-04-10T10:00:00Z"


@contextmanager
def altered(world: Computed, sql: str) -> Iterator[Computed]:
    """Yield the world with a table changed, and undo the change."""
    world.execute("begin")
    world.execute(sql)
    try:
        yield world
    finally:
        world.execute("rollback")


def rows_of(judgement: Judgement) -> list[Row]:
    assert judgement.rows is not None
    return judgement.rows.to_dict(orient="records")  # type: ignore[return-value]  # names are text


def billed(world: World, name: str, *lines: tuple[object, object, str], reference: str = "R") -> None:
    """Add a customer whose one contract of 2 racks is due 600.00 in March, and lines of (quantity, price, posted at)."""
    world.add("customers", customer_id=f"CU-{name}")
    world.version(
        contract_id=name, customer_id=f"CU-{name}", effective_from="2025-03-01", effective_to="2025-03-31", reserved_kw=0
    )
    world.add("erp_mapping", erp_customer_code=f"E-{name}", erp_contract_ref="R", contract_id=name, customer_id=f"CU-{name}")
    for number, (quantity, price, posted_at) in enumerate(lines):
        world.add(
            "erp_invoices", document_id=f"{name}-{number}", erp_customer_code=f"E-{name}", erp_contract_ref=reference,
            quantity=quantity, unit_price=price, amount=Decimal(str(quantity)) * Decimal(str(price)), posted_at=posted_at,
        )  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    """Build five customers: 40.00 too much, 5.00 too much (tolerated), late, 30.00 too much that came late, 10.00 too little."""
    world = World(tmp_path_factory.mktemp("checks"))
    billed(world, "HIGH", (2, 320, IN_TIME))
    billed(world, "TOLERATED", (2, "302.50", IN_TIME))
    billed(world, "LATE", (2, 300, LATE))
    billed(world, "LATER-HIGH", (2, 300, IN_TIME), (1, 30, LATE))
    billed(world, "LOW", (2, 295, IN_TIME))
    world.bill(1000)
    world.add("erp_power_costs", amount="1060.00")
    with world.computed("recon_summary") as computed:
        yield computed


def test_gates_are_those_of_the_close() -> None:
    gates = {check.name: check.gate for check in RECON_CHECKS}
    assert {name for name, gate in gates.items() if gate is Gate.PUBLISH} == {
        "power_bills_are_fully_allocated", "mrr_bridge_ties", "causes_add_up",
    }  # fmt: skip
    assert {name for name, gate in gates.items() if gate is Gate.SIGN_OFF} == {
        "every_variance_is_explained", "erp_vs_mart_is_within_materiality", "erp_vs_allocated_power_is_within_materiality",
        "unmapped_lines_are_within_materiality", "power_bills_are_final_or_booked", "erp_extract_covers_cutoff",
        "erp_control_totals_tie", "no_batch_is_rejected",
    }  # fmt: skip


# Materiality.


def test_materiality_counts_each_breach_once_gross_without_late_postings(world: Computed) -> None:
    """40.00 + 30.00 (in breach only as of all postings) + 10.00; the late contract is in breach, without another cause."""
    judged = world.judge("erp_vs_mart_is_within_materiality")
    assert judged.passed
    assert judged.figures == {
        "gross_cents": 8000,
        "signed_cents": 6000,
        "materiality_cents": 100000,
        "expected_revenue_cents": 300000,
        "causes": 3,
        "rows_in_breach": 4,
    }
    assert [(row["contract_id"], row["cause_cents"]) for row in rows_of(judged)] == [
        ("HIGH", 4000), ("LATER-HIGH", 3000), ("LOW", -1000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cents", "share", "passed", "materiality"),
    [
        (8000, "0", True, 8000),
        (7999, "0", False, 7999),
        # The larger of the two; of 3,000.00, 2.6667 % is 80.001 and 2.6666 % is 79.998.
        (7999, "0.026667", True, 8000),
        (7999, "0.026666", False, 7999),
        (8000, "0.026666", True, 8000),
    ],
)
def test_materiality_is_exact(world: Computed, cents: int, share: str, passed: bool, materiality: int) -> None:
    judged = world.judge("erp_vs_mart_is_within_materiality", materiality_cents=cents, materiality_share=Decimal(share))
    assert (judged.passed, judged.figures["materiality_cents"]) == (passed, materiality)
    assert bool(judged.next_step) is not passed


@pytest.mark.parametrize(
    ("cents", "share", "passed"), [(6000, "0", True), (5999, "0", False), (0, "0.06", True), (0, "0.059999", False)]
)
def test_power_has_a_materiality_of_its_own(world: Computed, cents: int, share: str, passed: bool) -> None:
    """60.00 booked too much on a power cost of 1,000.00."""
    name = "erp_vs_allocated_power_is_within_materiality"
    judged = world.judge(name, materiality_cents=cents, materiality_share=Decimal(share))
    assert (judged.passed, judged.figures["gross_cents"], judged.figures["rows_in_breach"]) == (passed, 6000, 1)
    (row,) = rows_of(judged)
    assert (row["site_id"], row["cause"]) == ("S-1", "unexplained")


def test_late_postings(world: Computed) -> None:
    name = "late_postings_are_within_materiality"
    assert world.judge(name, materiality_cents=63000, materiality_share=Decimal(0)).passed
    failed = world.judge(name, materiality_cents=62999, materiality_share=Decimal(0))
    assert not failed.passed
    assert (failed.figures["lines"], failed.figures["gross_cents"], failed.figures["signed_cents"]) == (2, 63000, 63000)
    assert [row["amount_cents"] for row in rows_of(failed)] == [60000, 3000]


def test_unmapped_lines_are_gross(tmp_path: Path) -> None:
    """50.00 and a credit of 20.00: 70.00, although 30.00 is what they add up to."""
    world = World(tmp_path)
    billed(world, "A", (1, 50, IN_TIME), (-1, 20, IN_TIME), reference="R-OLD")
    with world.computed("recon_summary") as computed:
        name = "unmapped_lines_are_within_materiality"
        assert computed.judge(name, materiality_cents=7000, materiality_share=Decimal(0)).passed
        failed = computed.judge(name, materiality_cents=6999, materiality_share=Decimal(0))
        assert not failed.passed
        assert failed.figures == {"lines": 2, "gross_cents": 7000, "signed_cents": 3000, "materiality_cents": 6999}
        assert [row["erp_contract_ref"] for row in rows_of(failed)] == ["R-OLD", "R-OLD"]


# Everything explained, and adding up.


def test_what_nothing_explains_is_named(world: Computed) -> None:
    failed = world.judge("every_variance_is_explained")
    assert not failed.passed
    assert (failed.figures["unexplained_cents"], failed.figures["unexplained_rows"]) == (6000, 1)
    assert [row["site_id"] for row in rows_of(failed)] == ["S-1"]
    with altered(world, "update recon.recon_causes set cause = 'rounding' where cause = 'unexplained'"):
        assert world.judge("every_variance_is_explained").passed


def test_a_cause_that_is_missing_or_wrong_is_noticed(world: Computed) -> None:
    assert world.judge("causes_add_up").passed
    for sql in (
        "delete from recon.recon_causes where contract_id = 'HIGH' and view = 'as_of_close'",
        "update recon.recon_causes set cause_cents = cause_cents + 1 where contract_id = 'LOW' and view = 'current'",
    ):
        with altered(world, sql):
            failed = world.judge("causes_add_up")
            assert (failed.passed, failed.figures["rows_that_do_not_add_up"]) == (False, 1)
    with altered(world, "update recon.recon_causes set link_id = 'L' where contract_id = 'LOW'"):
        failed = world.judge("causes_add_up")
        assert (failed.passed, failed.figures["moves_that_do_not_add_up"]) == (False, 1)


@pytest.mark.parametrize(
    ("name", "recon"),
    [("power_bills_are_fully_allocated", "power_bill_vs_allocated"), ("mrr_bridge_ties", "mrr_bridge")],
)
def test_bridges_tie_to_the_cent(world: Computed, name: str, recon: str) -> None:
    passed = world.judge(name)
    assert passed.passed
    assert passed.figures["gross_variance_cents"] == 0
    assert passed.figures["rows"] == {"power_bill_vs_allocated": 4, "mrr_bridge": 5}[recon]
    with altered(world, f"update recon.recon_results set variance_cents = -1 where recon = '{recon}'"):
        failed = world.judge(name)
        assert not failed.passed
        assert failed.figures["gross_variance_cents"] == failed.figures["rows"]


def test_energy_beyond_its_tolerance_is_listed(tmp_path: Path) -> None:
    """February: 2800 kWh billed and metered; March: 3100 metered, 3255 (5 % more) or a Wh above billed."""
    for kwh, passed in (("3255", True), ("3255.001", False)):
        world = World(tmp_path / kwh, first_month="2025-02").version().readings("2025-02-01", "2025-03-31")
        world.bill(1, kwh=2800, service_month="2025-02", bill_id="B0").bill(1, kwh=kwh)
        with world.computed("recon_results") as computed:
            judged = computed.judge("metered_energy_is_billed_energy")
            assert (judged.passed, judged.figures["sites"]) == (passed, 1)
            assert len(rows_of(judged)) == (0 if passed else 1)


# Bills.


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("bills"))

    def site(name: str, status: str, *booked: tuple[str, str]) -> None:
        world.add("sites", site_id=name).version(contract_id=f"A-{name}", site_id=name)
        world.bill(1000, bill_id=f"B-{name}", site_id=name, status=status)
        for number, (kind, amount) in enumerate(booked):
            world.add("erp_power_costs", document_id=f"{name}-{number}", document_type=kind, site_id=name, amount=amount)

    site("FINAL", "final")
    site("ESTIMATED", "estimated")
    site("ACCRUED", "estimated", ("accrual", "990.00"))
    site("ACCRUED-TOO-LITTLE", "estimated", ("accrual", "989.99"))
    site("BOOKED-AS-BILL", "estimated", ("bill", "1000.00"))
    # A bill without service needs nothing; a site with service and no bill at all is accrued by us.
    world.add("sites", site_id="EMPTY").bill(5, bill_id="B-EMPTY", site_id="EMPTY", status="estimated")
    world.add("sites", site_id="NONE").version(contract_id="A-NONE", site_id="NONE")
    with world.computed("recon_summary") as computed:
        yield computed


def test_bills_are_final_or_their_accrual_is_booked(bills: Computed) -> None:
    failed = bills.judge("power_bills_are_final_or_booked")
    assert not failed.passed
    assert failed.figures == {"sites": 6, "sites_without_final_bill": 5, "sites_in_the_way": 4}
    assert {row["site_id"]: row["bill"] for row in rows_of(failed)} == {
        "ESTIMATED": "estimated",
        "ACCRUED-TOO-LITTLE": "estimated",
        "BOOKED-AS-BILL": "estimated",
        "NONE": "accrued",
    }


def test_bills_that_are_settled_pass(tmp_path: Path) -> None:
    world = World(tmp_path).version().bill(1000, status="estimated")
    world.add("erp_power_costs", document_type="accrual", amount="1010.00")
    with world.computed("recon_summary") as computed:
        assert computed.judge("power_bills_are_final_or_booked").passed
        assert not computed.judge("power_bills_are_final_or_booked", tolerance_share=Decimal("0.009999")).passed


# Deliveries. The cutoff of March is the end of 7 April, that of February the end of 7 March.


def _judged(world: World, name: str, month: str = "2025-03") -> Judgement:
    with world.computed("contract_terms") as computed:
        return computed.judge(name, month)


@pytest.mark.parametrize(("arrival", "passed"), [("20250408T000000Z", True), ("20250407T235959Z", False)])
def test_extracts_cover_the_cutoff(tmp_path: Path, arrival: str, passed: bool) -> None:
    world = World(tmp_path).version().add("erp_mapping", "20250409T000000Z")
    world.add("erp_invoices").add("erp_invoices", arrival, document_id="D2")
    judged = _judged(world, "erp_extract_covers_cutoff")
    assert judged.passed is passed
    assert judged.figures == {"sources_short_of_cutoff": int(not passed), "cutoff": "2025-04-07T23:59:59.999999Z"}
    if not passed:
        assert rows_of(judged) == [{"source": "erp_invoices", "latest_arrival": "2025-04-07T23:59:59Z"}]
        assert "erp_invoices" in judged.next_step


def test_every_erp_source_must_cover_the_cutoff(tmp_path: Path) -> None:
    world = World(tmp_path).version().add("erp_invoices", "20250408T000000Z").add("erp_power_costs", "20250320T000000Z")
    judged = _judged(world, "erp_extract_covers_cutoff")
    assert [row["source"] for row in rows_of(judged)] == ["erp_power_costs"]


def test_without_invoices_no_extract_covers_the_cutoff(tmp_path: Path) -> None:
    judged = _judged(World(tmp_path).version(), "erp_extract_covers_cutoff")
    assert not judged.passed
    assert [row["source"] for row in rows_of(judged)] == ["erp_invoices"]


def test_a_rejected_extract_covers_nothing(tmp_path: Path) -> None:
    world = World(tmp_path).version().add("erp_invoices", "20250401T000000Z")
    put_rows(world.settings.landing_path, "erp_invoices", "20250409T000000Z", {"document_id": "D9"})
    assert not _judged(world, "erp_extract_covers_cutoff").passed


@pytest.mark.parametrize(
    ("rejected_at", "later", "passed"),
    [
        ("20250320T000000Z", None, False),
        # From the month's first day to its cutoff.
        ("20250301T000000Z", None, False),
        ("20250228T235959Z", None, True),
        ("20250407T235959Z", None, False),
        ("20250408T000000Z", None, True),
        # A later good batch of the same source supersedes it, an earlier one or another source's does not.
        ("20250320T000000Z", ("erp_invoices", "20250321T000000Z"), True),
        ("20250320T000000Z", ("erp_invoices", "20250319T000000Z"), False),
        ("20250320T000000Z", ("erp_power_costs", "20250321T000000Z"), False),
    ],
)
def test_rejected_batches(tmp_path: Path, rejected_at: str, later: tuple[str, str] | None, passed: bool) -> None:
    world = World(tmp_path).version()
    put_rows(world.settings.landing_path, "erp_invoices", rejected_at, {"document_id": "D9"})
    if later:
        world.add(*later)
    judged = _judged(world, "no_batch_is_rejected")
    assert judged.passed is passed
    assert judged.figures == {"rejected_batches": int(not passed), "rows_without_month": 0}
    if not passed:
        assert rows_of(judged)[0]["batch_id"] == f"colocation/erp_invoices/{rejected_at}"
        assert "quarantine" in judged.next_step


@pytest.mark.parametrize(
    ("values", "later", "passed"),
    [
        ({"service_month": "2025-13"}, False, False),
        ({"service_month": "2025-13"}, True, True),
        # A refused row that names its month is that month's matter (its quarantined share).
        ({"amount": "1.234"}, False, True),
    ],
)
def test_refused_rows_without_a_month(tmp_path: Path, values: dict[str, Any], later: bool, passed: bool) -> None:
    world = World(tmp_path).version().add("erp_invoices", "20250320T000000Z", document_id="D2", **values)
    if later:
        world.add("erp_invoices", "20250321T000000Z", document_id="D2")
    judged = _judged(world, "no_batch_is_rejected")
    assert (judged.passed, judged.figures["rows_without_month"]) == (passed, int(not passed))


CONTROL_TOTALS = "erp_control_totals_tie"


def _controlled(tmp_path: Path, *totals: tuple[str, int, str], month: str = "2025-03") -> Judgement:
    """Judge control totals (extracted at, lines, amount) over 10.00 posted on the 3rd of April and 2.50 on the 12th."""
    world = World(tmp_path).version().add("erp_invoices")
    world.add("erp_invoices", document_id="D2", amount="2.50", posted_at="2025-04-12T00:00:00Z")
    for at, lines, amount in totals:
        world.add("erp_control_totals", EARLY, service_month=month, extracted_at=at, lines=lines, amount=amount)
    with world.computed("invoice_lines") as computed:
        return computed.judge(CONTROL_TOTALS)


@pytest.mark.parametrize(
    ("totals", "passed"),
    [
        ([("2025-04-10T00:00:00Z", 1, "10.00")], True),
        ([("2025-04-12T00:00:00Z", 2, "12.50")], True),
        ([("2025-04-10T00:00:00Z", 2, "10.00")], False),
        ([("2025-04-10T00:00:00Z", 1, "10.01")], False),
        # The latest counts.
        ([("2025-04-10T00:00:00Z", 9, "99.00"), ("2025-04-13T00:00:00Z", 2, "12.50")], True),
        ([("2025-04-10T00:00:00Z", 1, "10.00"), ("2025-04-13T00:00:00Z", 3, "12.50")], False),
    ],
)
def test_control_totals(tmp_path: Path, totals: list[tuple[str, int, str]], passed: bool) -> None:
    judged = _controlled(tmp_path, *totals)
    assert judged.passed is passed
    assert (judged.figures["source_delivers"], judged.figures["erp_lines"]) == (True, totals[-1][1])


def test_control_totals_are_optional(tmp_path: Path) -> None:
    judged = _controlled(tmp_path)
    assert (judged.passed, judged.figures["source_delivers"]) == (True, False)


def test_a_source_that_began_after_the_cutoff_owes_the_month_no_control_totals(tmp_path: Path) -> None:
    world = World(tmp_path).version().add("erp_invoices")
    totals = {"service_month": "2025-06", "extracted_at": "2025-07-01T00:00:00Z", "lines": 0, "amount": "0.00"}
    world.add("erp_control_totals", "20250701T000000Z", **totals)
    with world.computed("invoice_lines") as computed:
        judged = computed.judge(CONTROL_TOTALS)
    assert (judged.passed, judged.figures["source_delivers"]) == (True, False)


def test_control_totals_of_another_month_say_nothing_of_this_one(tmp_path: Path) -> None:
    judged = _controlled(tmp_path, ("2025-04-10T00:00:00Z", 2, "12.50"), month="2025-02")
    assert (judged.passed, judged.figures["erp_lines"]) == (False, None)
