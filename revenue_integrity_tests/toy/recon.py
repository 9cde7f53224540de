"""The reconciliation of the toy stream: what the books hold against what was due.

Belongs here: which two sides should agree, the rules of the tables that hold the result. Does not belong here: the engine that
compares (``close.reconcile``), what must hold of the result (``checks``).
"""

from datetime import date

from revenue_integrity.close.evidence import evidence_slice
from revenue_integrity.close.reconcile import (
    declare,
    delivered,
    result_settings,
    results_query,
    results_text,
    summary_query,
    summary_text,
)
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query
from revenue_integrity.model.reconciliation import Reconciliation, Tolerance
from revenue_integrity.model.rule import Rule, raw, same_month
from revenue_integrity.model.signed import signed_table
from revenue_integrity_tests.toy import schemas
from revenue_integrity_tests.toy.settings import ToySettings
from revenue_integrity_tests.toy.sources import RENTALS

BOOKED = "booked_vs_due"

RECONCILIATIONS = declare(
    "toy",
    "revenue_integrity_tests.toy",
    (
        Reconciliation(
            BOOKED,
            "What the books hold for a boat is what was due for it.",
            "bookings",
            "rentals at the tariff",
            ("boat_id",),
            tolerance=Tolerance("tolerance_cents"),
            needs=(RENTALS,),
        ),
    ),
    (column.text("boat_id", "The boat."),),
    prefix="toy_",
)
"""The reconciliation of the stream, and the tables that hold it."""

RESULTS, SUMMARY = RECONCILIATIONS.results, RECONCILIATIONS.summary


def toy_recon_results(month: date, settings: ToySettings) -> Query:
    """Return what the books hold against what was due, boat by boat."""
    return results_query(RECONCILIATIONS, month, settings)


def toy_recon_summary(month: date, settings: ToySettings) -> Query:
    """Return what the books hold against what was due in total."""
    return summary_query(RECONCILIATIONS, month)


RULES = (
    Rule(
        RESULTS,
        toy_recon_results,
        (same_month("curated", "toy_rentals"), same_month("mart", "toy_boats"), *delivered(RECONCILIATIONS)),
        result_settings(RECONCILIATIONS),
        (results_text(RECONCILIATIONS),),
    ),
    Rule(
        SUMMARY,
        toy_recon_summary,
        # The evidence has no part in the figures; it makes the checks of deliveries, which judge this table, be made again.
        (same_month("recon", RESULTS.name), raw(evidence_slice("toy"))),
        sql=(summary_text(RECONCILIATIONS),),
    ),
)

SIGNED = (
    signed_table(schemas.TOY_BOATS, "due_cents", "booked_cents"),
    signed_table(RESULTS, "left_cents", "right_cents", "variance_cents"),
)
"""What of the stream's month a sign-off attests."""
