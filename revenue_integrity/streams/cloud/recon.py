"""Reconciliation of the stream: what the providers charged against what they invoiced.

Belongs here: the rules of its tables, what each reads, and what of the stream a sign-off attests. Does not belong here: the
engine that compares (``close/sql/reconcile.sql.j2``), what a check demands of the results (``checks``).

The grain is provider, billing period and invoice. Charges that name an invoice which was not delivered, and invoices without
charges, are rows in breach. Charges that name no invoice are compared in one row with those invoices of their provider and period
that no charge names; where there is none they wait, and form no row.
"""

from datetime import date

from revenue_integrity.close.evidence import evidence_slice
from revenue_integrity.close.reconcile import Extra, declare, delivered, results_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.reconciliation import CURRENCY, CURRENT, Reconciliation, Tolerance
from revenue_integrity.model.rule import Rule, raw, same_month
from revenue_integrity.model.signed import signed_table
from revenue_integrity.streams.cloud import schemas
from revenue_integrity.streams.cloud.settings import CloudSettings
from revenue_integrity.streams.cloud.sources import CLOUD_INVOICES, EVENTS, STREAM

_PACKAGE = "revenue_integrity.streams.cloud"

INVOICES = "cloud_invoices"
"""The reconciliation of the stream (30-cloud, *Month close*)."""

_PREFIX = "cloud_"

RECONCILIATIONS = declare(
    STREAM,
    _PACKAGE,
    (
        Reconciliation(
            INVOICES,
            "What was charged is what was invoiced, per provider, billing period and invoice.",
            "charges",
            "invoices",
            ("provider", "billing_period", "invoice_id"),
            unit=CURRENCY,
            views=(CURRENT,),
            tolerance=Tolerance("invoice_tolerance"),
            needs=(CLOUD_INVOICES,),
        ),
    ),
    (
        column.text("provider", "The provider, in lower case."),
        column.day("billing_period", "First day of the billing period."),
        column.text("invoice_id", "The invoice; empty where charges that name none are compared with several.", null=True),
    ),
    prefix=_PREFIX,
    places=18,
    extra=Extra(
        # They stood in the table when all streams had the same columns, and readers may name them.
        never=(
            column.text("customer_id", "The customer.", null=True),
            column.text("contract_id", "The contract; empty for lines that resolve to none.", null=True),
            column.text("site_id", "The site.", null=True),
            column.text("charge_type", "What is charged.", null=True),
        ),
        explanation="recon/explanation",
        carried=("charged_rows", "invoiced_rows"),
        summary=(
            schemas.cost("not_invoiced_value", "Charges of the period that name no invoice yet; they form no row."),
            column.integer("not_invoiced_rows", "Charge rows that name no invoice yet.", unit="rows"),
        ),
    ),
)
"""The reconciliation of the stream, and the tables that hold it."""

RESULTS, SUMMARY = RECONCILIATIONS.results, RECONCILIATIONS.summary


def cloud_recon_summary(month: date, settings: CloudSettings) -> Query:
    """Return charges against invoices of the billing period in total, in currency units."""
    return load_query(_PACKAGE, "recon/cloud_recon_summary", month=month, currency=settings.currency)


_CHARGES = EVENTS.breakdown_slice(EVENTS.breakdowns[0])
"""The slice of charges by provider, billing period and invoice."""

_CHARGES_AND_INVOICES = (raw(_CHARGES), raw(CLOUD_INVOICES.name))

RULES = (
    results_rule(RECONCILIATIONS, _CHARGES_AND_INVOICES),
    Rule(
        SUMMARY,
        cloud_recon_summary,
        # The evidence has no part in the figures; it makes the checks of deliveries, which judge this table, be made again.
        (same_month("recon", RESULTS.name), *_CHARGES_AND_INVOICES, *delivered(RECONCILIATIONS), raw(evidence_slice(STREAM))),
        settings=("currency",),
        sql=("recon/cloud_recon_summary",),
    ),
)

SIGNED = (
    signed_table(schemas.ACCOUNT_SERVICE_DAY, "total_cost", "effective_cost", signed_as=schemas.FORMERLY),
    signed_table(schemas.DAILY_ACCOUNT_COST, "total_cost"),
    signed_table(RESULTS, "left_value", "right_value", "variance_value"),
)
"""What of the stream's month a sign-off attests: costs, and what they were compared with."""
