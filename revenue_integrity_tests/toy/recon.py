"""The reconciliation of the toy stream: what the books hold against what was due.

Belongs here: which two sides should agree, the rules of the tables that hold the result. Does not belong here: the engine that
compares (``close.reconcile``), what must hold of the result (``checks``).
"""

from revenue_integrity.close.reconcile import declare, results_rule, summary_rule
from revenue_integrity.model import table as column
from revenue_integrity.model.reconciliation import Reconciliation, Tolerance
from revenue_integrity.model.rule import same_month
from revenue_integrity.model.signed import signed_table
from revenue_integrity_tests.toy import schemas
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

RULES = (
    results_rule(RECONCILIATIONS, (same_month("curated", "toy_rentals"), same_month("mart", "toy_boats"))),
    summary_rule(RECONCILIATIONS),
)

SIGNED = (
    signed_table(schemas.TOY_BOATS, "due_cents", "booked_cents"),
    signed_table(RECONCILIATIONS.results, "left_cents", "right_cents", "variance_cents"),
)
"""What of the stream's month a sign-off attests."""
