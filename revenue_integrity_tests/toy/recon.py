"""The reconciliation of the toy stream: what the books hold against what was due.

Belongs here: which two sides should agree, the rules of the tables that hold the result. Does not belong here: the engine that
compares (``close.reconcile``), why the sides differ (``causes``), what must hold of the result (``checks``).
"""

from datetime import date

import pandas as pd

from revenue_integrity.close.causes.explaining import explain
from revenue_integrity.close.causes.table import causes_table
from revenue_integrity.close.reconcile import declare, results_rule, summary_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.reconciliation import Causes, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import Rule, same_month
from revenue_integrity.model.signed import signed_table
from revenue_integrity_tests.toy import causes, schemas
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
            causes=Causes(causes.FAMILIES, Materiality(schemas.TOY_BOATS, "due_cents", "due_cents")),
        ),
    ),
    (column.text("boat_id", "The boat."),),
    prefix="toy_",
)
"""The reconciliation of the stream, and the tables that hold it."""

assert RECONCILIATIONS.causes is not None
CAUSES = RECONCILIATIONS.causes


def toy_recon_causes(
    month: date, settings: ToySettings, toy_recon_results: pd.DataFrame, toy_rentals: pd.DataFrame
) -> pd.DataFrame:
    """Return why each boat's sides differ, cause by cause, in both views."""
    explained = explain(causes.boats_to_explain(toy_recon_results, toy_rentals), causes.CAUSES)
    late = causes.late_postings(toy_recon_results, toy_rentals)
    return causes_table(month, RECONCILIATIONS, toy_recon_results, {BOOKED: explained}, {BOOKED: late})


RULES = (
    results_rule(RECONCILIATIONS, (same_month("curated", "toy_rentals"), same_month("mart", "toy_boats"))),
    Rule(CAUSES, toy_recon_causes, (same_month("recon", "toy_recon_results"), same_month("curated", "toy_rentals"))),
    summary_rule(RECONCILIATIONS),
)

SIGNED = (
    signed_table(schemas.TOY_BOATS, "due_cents", "booked_cents"),
    signed_table(RECONCILIATIONS.results, "left_cents", "right_cents", "variance_cents"),
)
"""What of the stream's month a sign-off attests."""
