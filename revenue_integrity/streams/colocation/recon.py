"""Reconciliations of the stream: their sides as queries, their causes over what varies, their totals.

Belongs here: the rules of the recon tables and what each reads. Does not belong here: the engine that compares
(``close/sql/reconcile.sql.j2``), the rules of cause (``causes``), what a check demands of the results (``recon_checks``).
"""

from datetime import date
from typing import Any

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.bridge import bridge_rule, bridge_table
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.close.causes.explaining import explain
from revenue_integrity.close.causes.table import causes_table
from revenue_integrity.close.reconcile import declare, results_rule, summary_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.postings import ControlTotals, Postings
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.reconciliation import CURRENT, Causes, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import Rule, raw, raw_before, same_month, window
from revenue_integrity.streams.colocation import schemas, sources
from revenue_integrity.streams.colocation.causes import charges, power
from revenue_integrity.streams.colocation.causes.inputs import CHARGES, POWER, charge_case, power_case
from revenue_integrity.streams.colocation.curated import METER_SETTINGS, meter_parameters
from revenue_integrity.streams.colocation.settings import ColocationSettings

_PACKAGE = "revenue_integrity.streams.colocation"

_BILLED = Tolerance("tolerance_cents", "tolerance_share")

_REVENUE = Materiality(schemas.EXPECTED_CHARGES, "amount_cents", "expected_revenue_cents")

RECONCILIATIONS = declare(
    "colocation",
    _PACKAGE,
    (
        Reconciliation(
            CHARGES,
            "What the ERP billed is what the contracts say is owed, per customer, contract and charge type.",
            "ERP invoice lines",
            "expected charges",
            ("customer_id", "contract_id", "charge_type"),
            tolerance=_BILLED,
            needs=(sources.ERP_INVOICES,),
            causes=Causes(
                {
                    "late_posting": "timing",
                    "period_shift": "timing",
                    "unmapped_line": "mapping",
                    "wrong_contract": "mapping",
                    "duplicate_billing": "duplicate",
                    "credit_memo": "credit",
                    "credit_unreferenced": "credit",
                    "estimated_meter": "data",
                    "late_meter": "data",
                    "uncontracted": "missing",
                    "stale_version": "configuration",
                    "proration": "configuration",
                    "rounding": "rounding",
                    "price_mismatch": "configuration",
                    "quantity_mismatch": "configuration",
                    "unbilled": "missing",
                },
                _REVENUE,
                residual=("price_mismatch", "quantity_mismatch"),
                across_months=("period_shift",),
            ),
        ),
        Reconciliation(
            "power_bill_vs_allocated",
            "Every charge of every power bill is allocated to contracts or stranded, per site and charge.",
            "power bills",
            "allocated and stranded power",
            ("site_id", "charge_type"),
            views=(CURRENT,),
            needs=(sources.POWER_BILLS,),
        ),
        Reconciliation(
            POWER,
            "What accounting booked for power is what is allocated and stranded, per site.",
            "ERP power costs",
            "allocated and stranded power",
            ("site_id",),
            tolerance=_BILLED,
            needs=(sources.ERP_POWER_COSTS,),
            causes=Causes(
                {
                    "late_posting": "timing",
                    "unbooked": "missing",
                    "accrual_not_reversed": "duplicate",
                    "estimated_bill": "data",
                    "rounding": "rounding",
                },
                Materiality(schemas.POWER_ALLOCATION, "amount_cents", "power_cost_cents"),
            ),
        ),
        Reconciliation(
            "mrr_bridge",
            "The month's MRR is last month's closing and the movements, per customer.",
            "MRR of the contracts",
            "opening MRR and movements",
            ("customer_id",),
            views=(CURRENT,),
        ),
        Reconciliation(
            "metered_vs_billed_kwh",
            "The energy of a power bill is the metered energy at the recent ratio of the two, per site.",
            "billed energy",
            "metered energy at the recent ratio",
            ("site_id",),
            unit="wh",
            views=(CURRENT,),
            tolerance=Tolerance(share="kwh_tolerance_share"),
        ),
        Reconciliation(
            "population",
            "Contracts that are billed are those of which something is due, per customer and contract.",
            "contracts with ERP lines",
            "contracts with expected charges",
            ("customer_id", "contract_id"),
            unit="count",
            needs=(sources.ERP_INVOICES,),
        ),
    ),
    (
        column.text("customer_id", "The customer.", null=True),
        column.text("contract_id", "The contract; empty for lines that resolve to none.", null=True),
        column.text("site_id", "The site.", null=True),
        column.text("charge_type", "What is charged.", null=True),
    ),
)
"""The reconciliations of the stream (20-close, *Reconciliations*)."""

POSTINGS = Postings(
    sources.ERP_INVOICES,
    schemas.INVOICE_LINES,
    called="lines",
    resolves_to="contract_id",
    listed=(
        "document_id",
        "line_no",
        "erp_customer_code",
        "erp_contract_ref",
        "customer_id",
        "contract_id",
        "charge_type",
        "amount_cents",
        "posted_at",
    ),
    materiality=_REVENUE,
    earlier="earlier_months_postings",
    totals=ControlTotals(sources.ERP_CONTROL_TOTALS, counted_by="erp"),
)
"""What the ERP bills."""

BRIDGE = bridge_table("colocation", lines="ERP lines")

assert RECONCILIATIONS.causes is not None
CAUSES = RECONCILIATIONS.causes


def _parameters(month: date, settings: ColocationSettings) -> dict[str, Any]:
    return {
        "month_end": months.last_day(month),
        "cutoff": cutoff(month, settings),
        "cutoff_before": cutoff(months.add(month, -1), settings),
        **meter_parameters(settings),
    }


def _query(path: str, month: date, settings: ColocationSettings) -> Query:
    return load_query(_PACKAGE, path, month=month, **_parameters(month, settings))


def _result_parameters(month: date, settings: ColocationSettings) -> dict[str, Any]:
    return {"accrual_months": settings.accrual_months, **_parameters(month, settings)}


CAUSE_QUERIES = (
    "rows",
    "lines",
    "dues",
    "earlier_terms",
    "known_usage",
    "power_lines",
    "power_bills",
    "mappings",
)
"""What the rules of cause look at: each a query that returns only what belongs to rows with a variance."""


def cause_queries(month: date, settings: ColocationSettings) -> dict[str, Query]:
    """Return the queries whose rows ``recon_causes`` is made from."""
    return {name: _query(f"recon/causes_{name}", month, settings) for name in CAUSE_QUERIES}


def recon_causes(month: date, settings: ColocationSettings, **frames: pd.DataFrame) -> pd.DataFrame:
    """Return the causes of every variance of the month, in both views, in cents, from the rows of ``CAUSE_QUERIES``."""
    rows = frames["rows"]
    explained = {
        CHARGES: explain(charge_case(month, frames), charges.CAUSES),
        POWER: explain(power_case(month, frames), power.CAUSES),
    }
    late = {CHARGES: charges.late_postings(month, frames), POWER: power.late_postings(month, frames)}
    return causes_table(month, RECONCILIATIONS, rows[rows["month"] == pd.Timestamp(month)], explained, late)


_RESULT_READS = (
    same_month("curated", "invoice_lines"),
    same_month("curated", "contract_terms"),
    same_month("curated", "meter_daily"),
    same_month("curated", "power_bills"),
    same_month("mart", "expected_charges"),
    same_month("mart", "power_allocation"),
    same_month("mart", "contract_month"),
    same_month("mart", "mrr_movements"),
    raw("contract_versions"),
    raw("sites"),
    raw("erp_power_costs"),
    raw_before("power_bills", None),
    raw_before("meter_readings", None),
    raw("meter_starts"),
)

RULES = (
    results_rule(
        RECONCILIATIONS,
        _RESULT_READS,
        settings=("accrual_months", *CALENDAR_SETTINGS, *METER_SETTINGS),
        parameters=_result_parameters,
    ),
    bridge_rule(BRIDGE, POSTINGS),
    Rule(
        CAUSES,
        recon_causes,
        (
            window("recon", "recon_results", months_before=2, months_after=2),
            window("curated", "invoice_lines", months_before=1, months_after=1),
            same_month("curated", "contract_terms"),
            same_month("curated", "meter_daily"),
            same_month("curated", "power_bills"),
            same_month("mart", "expected_charges"),
            raw("contract_versions"),
            raw("meter_readings"),
            raw_before("meter_readings"),
            raw("meter_starts"),
            raw("erp_mapping"),
            raw("erp_power_costs"),
            raw("erp_invoices"),
            raw("corrected_documents"),
        ),
        (*CALENDAR_SETTINGS, *METER_SETTINGS),
        tuple(f"recon/causes_{name}" for name in CAUSE_QUERIES),
        cause_queries,
    ),
    summary_rule(
        RECONCILIATIONS,
        (
            same_month("curated", "invoice_lines"),
            same_month("curated", "power_bills"),
            raw("erp_control_totals"),
            raw("erp_power_costs"),
        ),
    ),
)
