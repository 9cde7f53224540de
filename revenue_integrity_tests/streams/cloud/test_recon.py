"""The reconciliation of charges with invoices on rows worked by hand; the month with its look-ups; the register.

The tolerance is one cent unless a test says otherwise.
"""

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_integrity import months
from revenue_integrity.errors import UsageError
from revenue_integrity.model.table import Table
from revenue_integrity.serving.breaches import breaches
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud.checks import CHECKS
from revenue_integrity.streams.cloud.recon import RESULTS, SIGNED
from revenue_integrity.streams.cloud.register import METRICS
from revenue_integrity.streams.colocation.recon import RECONCILIATIONS
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.storage import arrow_schema
from revenue_integrity_tests.streams.cloud.world import Computed, World
from revenue_integrity_tests.streams.colocation import world as colocation_world
from revenue_integrity_tests.streams.colocation.world import pick
from revenue_integrity_tests.support import command

LAST_PLACE = Decimal("0.000000000001")

CASES: dict[str, tuple[str, str, tuple[str, str | None, str]]] = {
    # name: charged, invoiced, then variance, variance_pct, status.
    "EQUAL": ("20.520226728990", "20.52022672899", ("0", "0.000000", "matched")),
    "LAST-PLACE": ("1.000000000001", "1", ("0.000000000001", "0.000000", "within_tolerance")),
    "A-CENT": ("10", "10.01", ("-0.01", "-0.000999", "within_tolerance")),
    "A-CENT-AND-THE-LAST-PLACE": ("10.010000000001", "10", ("0.010000000001", "0.001000", "breach")),
    "A-CENT-LESS-THE-LAST-PLACE": ("10", "10.009999999999", ("-0.009999999999", "-0.000999", "within_tolerance")),
    "CREDIT": ("-5.5", "-5.25", ("-0.25", "-0.047619", "breach")),
    # 26 digits before the point are what the type holds; a float would have lost the last place of far less.
    "LARGE": ("90071992547409.930000000001", "90071992547409.93", ("0.000000000001", "0.000000", "within_tolerance")),
    # More than a column of percentages can say.
    "NEXT-TO-NOTHING": ("1000000", "0.000000000001", ("999999.999999999999", None, "breach")),
}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computed]:
    world = World(tmp_path_factory.mktemp("compared"))
    for name, (charged, invoiced, _) in CASES.items():
        # In two rows, so that a sum is compared.
        world.add("focus", InvoiceId=name, BilledCost=Decimal(charged) - 3).add("focus", InvoiceId=name, BilledCost=3)
        world.add("cloud_invoices", invoice_id=name, amount=invoiced)
    world.add("focus", InvoiceId="NOT-SENT", BilledCost=7)
    world.add("cloud_invoices", invoice_id="WITHOUT-CHARGES", amount=9)
    # Of a provider all of whose invoices are named, or that sent none.
    world.add("focus", ProviderName="R", InvoiceId="", BilledCost="4.5").add(
        "focus", InvoiceId="NULL", ProviderName="r", BilledCost="0.25"
    )
    # Nothing charged and nothing invoiced is no difference.
    world.add("focus", InvoiceId="NIL", BilledCost=5).add("focus", InvoiceId="NIL", BilledCost=-5)
    # The same number from another provider, and of another period.
    world.add("focus", InvoiceId="EQUAL", ProviderName="Q", BillingAccountId="B-2", BilledCost=1)
    world.add("focus", InvoiceId="EQUAL", BillingPeriodStart="2025-02-01T00:00:00Z", BilledCost=2)
    # Additions to an export count like its rows.
    world.add("focus_delta", "20250312T000000Z", InvoiceId="ADDED", BilledCost="1.5").add(
        "focus", InvoiceId="ADDED", BilledCost=2
    )
    world.add("cloud_invoices", invoice_id="ADDED", amount="3.5")
    with world.computed() as computed:
        yield computed


@pytest.mark.parametrize("name", CASES)
def test_amounts_are_compared_exactly(compared: Computed, name: str) -> None:
    charged, invoiced, (variance, pct, status) = CASES[name]
    row = compared.row("cloud_recon_results", invoice_id=name, provider="p")
    assert pick(row, "left_value", "right_value", "variance_value") == (Decimal(charged), Decimal(invoiced), Decimal(variance))
    assert pick(row, "variance_pct", "status") == (Decimal(pct) if pct else None, status)
    assert pick(row, "recon", "view", "unit", "billing_period") == ("cloud_invoices", "current", "usd", "2025-03")
    assert pick(row, "left_cents", "right_cents", "variance_cents", "customer_id", "contract_id", "site_id", "charge_type") == (
        (None,) * 7
    )


@pytest.mark.parametrize(
    ("invoice", "provider", "amounts", "status", "said"),
    [
        ("NOT-SENT", "p", (7, 0), "breach", "no invoice of the period covers them"),
        ("WITHOUT-CHARGES", "p", (0, 9), "breach", "has no charges"),
        ("EQUAL", "q", (1, 0), "breach", "no invoice of the period covers them"),
        ("NIL", "p", (0, 0), "matched", "agree"),
        ("ADDED", "p", (Decimal("3.5"), Decimal("3.5")), "matched", "agree"),
    ],
)
def test_what_only_one_side_has(
    compared: Computed, invoice: str, provider: str, amounts: tuple[object, object], status: str, said: str
) -> None:
    row = compared.row("cloud_recon_results", invoice_id=invoice, provider=provider)
    assert pick(row, "left_value", "right_value", "status") == (*amounts, status)
    assert said in row["explanation"]


def test_charges_that_name_no_invoice_wait_for_it(compared: Computed) -> None:
    assert all(row["invoice_id"] for row in compared.rows("cloud_recon_results"))
    summary = compared.row("cloud_recon_summary")
    assert pick(summary, "not_invoiced_value", "not_invoiced_rows") == (Decimal("4.75"), 2)


def test_totals_are_signed_and_gross(compared: Computed) -> None:
    """Of the cases 1 place - 0.01 + (0.01 + 1 place) - (0.01 - 1 place) - 0.25 + 1 place + (1000000 - 1 place), and 7 + 1 - 9."""
    summary = compared.row("cloud_recon_summary")
    assert pick(summary, "rows", "matched", "within_tolerance", "breaches") == (13, 3, 4, 6)
    million = Decimal(1000000) - LAST_PLACE
    assert summary["variance_signed"] == Decimal("-0.26") + 4 * LAST_PLACE + million - 1
    assert summary["variance_gross"] == Decimal("0.28") + 2 * LAST_PLACE + million + 17
    assert summary["left_total"] - summary["right_total"] == summary["variance_signed"]


def test_a_provider_that_names_no_invoice_is_compared_in_total(tmp_path: Path) -> None:
    """FOCUS before 1.2 has no InvoiceId: its one invoice, or all of them, against all that was charged."""
    world = World(tmp_path)
    world.add("focus", InvoiceId="", BilledCost=6).add("focus", InvoiceId="", BilledCost=4)
    world.add("cloud_invoices", invoice_id="ONLY", amount=11)
    world.add("focus", ProviderName="Q", BillingAccountId="B-2", InvoiceId="", BilledCost=5)
    world.add("cloud_invoices", provider="Q", invoice_id="Q-1", amount=2).add(
        "cloud_invoices", provider="Q", invoice_id="Q-2", amount=3
    )
    # One that was invoiced nothing waits.
    world.add("focus", ProviderName="R", BillingAccountId="B-3", InvoiceId="", BilledCost=8)
    with world.computed() as computed:
        rows = computed.rows("cloud_recon_results")
        assert [pick(row, "provider", "invoice_id", "left_value", "right_value", "status") for row in rows] == [
            ("p", "ONLY", 10, 11, "breach"),
            ("q", None, 5, 5, "matched"),
        ]
        assert computed.row("cloud_recon_summary")["not_invoiced_value"] == 8


def test_charges_that_name_no_invoice_are_compared_with_the_invoices_that_no_charge_names(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.add("focus", InvoiceId="I-1", BilledCost=1).add("focus", InvoiceId="", BilledCost=6).add(
        "focus", InvoiceId="", BilledCost=4
    )
    for invoice, amount in (("I-1", 1), ("I-2", 7), ("I-3", 2)):
        world.add("cloud_invoices", invoice_id=invoice, amount=amount)
    with world.computed() as computed:
        rows = computed.rows("cloud_recon_results")
        assert [pick(row, "invoice_id", "left_value", "right_value", "status") for row in rows] == [
            ("I-1", 1, 1, "matched"),
            (None, 10, 9, "breach"),
        ]
        assert computed.judge("charges_are_invoiced").passed


@pytest.mark.parametrize(
    ("charged", "invoiced"), [("INV-1", "inv-1"), ("INV 2", "INV_2"), (" inv__2 ", "INV-2"), ("i\u00a0\u00a03", "I 3")]
)
def test_numbers_of_invoices_are_identifiers_and_providers_have_no_case(tmp_path: Path, charged: str, invoiced: str) -> None:
    world = World(tmp_path).add("focus", InvoiceId=charged, ProviderName="Amazon Web")
    world.add("cloud_invoices", invoice_id=invoiced, provider="AMAZON WEB")
    with world.computed() as computed:
        row = computed.row("cloud_recon_results")
        assert pick(row, "provider", "left_value", "right_value", "status") == ("amazon web", 10, 10, "matched")


def test_an_invoice_is_corrected_whatever_the_case_of_its_provider(tmp_path: Path) -> None:
    world = World(tmp_path).add("focus").add("cloud_invoices", amount=9).add("cloud_invoices", "20250316T000000Z", provider=" p ")
    with world.computed() as computed:
        assert pick(computed.row("cloud_recon_results"), "right_value", "status") == (10, "matched")


def test_corrected_invoices_and_replaced_exports_count_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.add("focus", BilledCost=10).add("focus", "20250315T000000Z", BilledCost=12)
    world.add("cloud_invoices", amount=10).add("cloud_invoices", "20250316T000000Z", amount=12)
    world.add("focus", "20250315T000000Z", BilledCost="x", InvoiceId="I-1")
    with world.computed() as computed:
        row = computed.row("cloud_recon_results")
        assert pick(row, "left_value", "right_value", "status") == (12, 12, "matched")


def test_nothing_is_reconciled_where_invoices_are_never_delivered(tmp_path: Path) -> None:
    with World(tmp_path).add("focus").computed() as computed:
        assert computed.rows("cloud_recon_results") == computed.rows("cloud_recon_summary") == []
        assert computed.judge("invoices_tie").passed
        assert computed.judge("cloud_invoices_cover_cutoff").passed
        assert computed.judge("charges_are_invoiced").passed


def test_a_deployment_sets_its_tolerance(tmp_path: Path) -> None:
    world = World(tmp_path, invoice_tolerance="0.5")
    world.add("focus", BilledCost="10.5").add("cloud_invoices", amount=10)
    world.add("focus", BilledCost="10.500000000001", InvoiceId="I-2").add("cloud_invoices", invoice_id="I-2", amount=10)
    with world.computed() as computed:
        statuses = {row["invoice_id"]: row["status"] for row in computed.rows("cloud_recon_results")}
        assert statuses == {"I-1": "within_tolerance", "I-2": "breach"}


def test_months_stand_apart(tmp_path: Path) -> None:
    world = World(tmp_path, last_month="2025-04")
    world.add("focus").add("cloud_invoices")
    world.add("focus", BillingPeriodStart="2025-04-01T00:00:00Z", ChargePeriodStart="2025-04-02T00:00:00Z", InvoiceId="I-2")
    world.add("cloud_invoices", invoice_id="I-2", billing_period="2025-04", amount=9)
    with world.computed() as computed:
        rows = computed.rows("cloud_recon_results")
        assert [pick(row, "month", "billing_period", "invoice_id", "variance_value") for row in rows] == [
            ("2025-03", "2025-03", "I-1", 0),
            ("2025-04", "2025-04", "I-2", 1),
        ]


def test_what_is_compared_is_in_the_currency_of_the_deployment(tmp_path: Path) -> None:
    world = World(tmp_path, currency="EUR")
    world.add("focus", BillingCurrency="EUR", BilledCost=12).add("cloud_invoices", currency="EUR", amount=10)
    with world.computed() as computed:
        assert pick(computed.row("cloud_recon_results"), "unit", "variance_value") == ("eur", 2)
        assert pick(computed.row("cloud_recon_summary"), "unit", "variance_signed") == ("eur", 2)


def test_signed_content_is_keys_and_amounts() -> None:
    assert [(each.table.name, each.measures) for each in SIGNED] == [
        ("account_service_day", ("total_cost", "effective_cost")),
        ("daily_account_cost", ("total_cost",)),
        ("cloud_recon_results", ("left_value", "right_value", "variance_value")),
    ]
    assert RESULTS.sql_type("left_value") == "DECIMAL(38,18)"
    # The names under which months were signed before costs were in any currency.
    (services, *_) = SIGNED
    assert services.signed_as == {"total_cost": "total_cost_usd", "effective_cost": "effective_cost_usd"}


# What the command `recon` shows.


def published(settings: Settings, connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Publish a computed table for March."""
    rows = connection.sql(f"select {', '.join(table.columns)} from {table.qualified}").to_arrow_table().cast(arrow_schema(table))
    facts: dict[str, Any] = {"content_hash": "h", "as_of": "", "code_version": "v1", "batches": [], "checks": []}
    publish.publish(settings, table, months.parse("2025-03"), rows, **facts)


def test_rows_in_breach_of_both_streams_are_shown_together(tmp_path: Path) -> None:
    march = months.parse("2025-03")
    cloud = World(tmp_path).add("focus", BilledCost=12).add("cloud_invoices").add("cloud_invoices", invoice_id="I-2", amount=50)
    with cloud.computed() as computed:
        published(cloud.settings, computed.connection, RESULTS)
    alone = breaches(deployment_of(cloud.settings), march, recon=None, view="current")
    assert alone[["invoice_id", "variance_value"]].values.tolist() == [["I-2", -50], ["I-1", 2]]
    colocation = colocation_world.World(tmp_path / "colocation").version(reserved_kw=0).add("erp_mapping")
    colocation.add("erp_invoices", quantity=2, unit_price=350, amount=700)
    with colocation.computed("recon_causes") as computed_too:
        for table in (RECONCILIATIONS.results, RECONCILIATIONS.causes):
            published(cloud.settings, computed_too.connection, table)
    both = breaches(deployment_of(cloud.settings), march, recon=None, view="current")
    assert both[["recon", "variance_cents", "variance_value", "cause"]].astype(object).where(
        both.notna(), None
    ).values.tolist() == [
        ["cloud_invoices", None, -50, None],
        ["cloud_invoices", None, 2, None],
        ["erp_vs_mart", 10000, None, "price_mismatch"],
    ]
    assert all(both["explanation"])
    assert breaches(deployment_of(cloud.settings), march, recon="erp_vs_mart", view="current")["contract_id"].tolist() == ["A"]
    assert breaches(deployment_of(cloud.settings), march, recon="cloud_invoices", view="as_of_close").empty
    with pytest.raises(UsageError, match="no reconciliation 'x'"):
        breaches(deployment_of(cloud.settings), march, recon="x", view="current")
    told = command(cloud.settings, "recon", "2025-03", "--book", "cloud", "--format", "csv")
    assert [row["recon"] for row in csv.DictReader(told.stdout.splitlines())] == ["cloud_invoices", "cloud_invoices"]
    refused = command(cloud.settings, "recon", "2025-03", "--book", "clouds")
    assert "there is no book 'clouds'. Did you mean cloud?" in refused.stderr


# The month, named by the look-ups.


def test_the_month_adds_up_its_days_and_is_named_by_the_look_ups(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.event("E-1", "1.000000000001").event("E-2", 2, "2025-03-06").event("E-3", 4, "2025-03-06")
    world.event("E-4", 8, account_id="A-2", service_name="Disk").event("E-5", 16, tenant_id="T-2")
    world.add("accounts").add("accounts", "20250311T000000Z", billing_owner="Bea")
    world.add("accounts", account_id="A-2", billing_owner="")
    world.add("services")
    with world.computed() as computed:
        rows = computed.rows("cloud_month")
    named = ("tenant_id", "account_id", "service_name", "account_name", "billing_owner", "service_category")
    assert [pick(row, *named) for row in rows] == [
        ("T-1", "A-1", "Compute", "One", "Bea", "compute"),
        ("T-1", "A-2", "Disk", "One", "unknown", "unknown"),
        # The account of another tenant is another account.
        ("T-2", "A-1", "Compute", "unknown", "unknown", "compute"),
    ]
    figures = [pick(row, "total_cost", "effective_cost", "event_count", "days") for row in rows]
    assert figures == [(7 + LAST_PLACE, None, 3, 2), (8, None, 1, 1), (16, None, 1, 1)]


# The register.


def test_register_names_checks_that_exist(compared: Computed) -> None:
    rows = compared.rows("cloud_metric_register")
    assert len(rows) == len(METRICS)
    assert all(value for row in rows for value in row.values())
    named = {name for metric in METRICS for name in metric.validating_checks.split(", ")}
    assert named <= {check.name for check in CHECKS}


def test_assumptions_say_how_much_rests_on_them(tmp_path: Path) -> None:
    """6 of 8 (absolute) name no tenant; the days of 5 March are complete, for both delivered after it; those of 20 March not."""
    world = World(tmp_path, invoice_tolerance="0.02")
    world.event("E-1", 2).add("focus", BilledCost=-5).add("focus", BilledCost=1, ChargePeriodStart="2025-03-20T00:00:00Z")
    with world.computed() as computed:
        rows = {row["assumption"]: row for row in computed.rows("cloud_assumptions")}
    assert pick(rows["tenant_of_billing_account"], "affected_rows", "affected_share") == (2, Decimal("0.75"))
    assert pick(rows["available_by"], "value", "affected_rows", "affected_share") == ("12:00", 1, Decimal("0.125"))
    assert pick(rows["invoice_tolerance"], "value", "affected_rows", "affected_share") == ("0.02", None, None)
