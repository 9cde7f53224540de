"""Checks of the toy stream, each with the gate that its failure closes and what it is a control against.

Belongs here: what must be true of its tables. Does not belong here: schema checks (every table has one), how a check becomes a
Dagster check (``orchestration.check_factory``).
"""

from functools import partial

from revenue_integrity.close.judgement import CheckText, sql_check
from revenue_integrity.close.landing_checks import deliveries_cover_cutoff
from revenue_integrity.close.reconciliation_checks import (
    causes_add_up,
    causes_are_within_materiality,
    variances_are_explained,
)
from revenue_integrity.model.check import Control, Gate
from revenue_integrity.model.signed import extracts_of
from revenue_integrity_tests.toy import recon, schemas
from revenue_integrity_tests.toy.sources import RENTALS, SOURCES

_check = partial(sql_check, "revenue_integrity_tests.toy")

EXTRACTS = extracts_of(SOURCES, prefix=RENTALS.name)
"""Rentals must have been delivered at or after the cutoff before a month is signed."""

CHECKS = (
    _check(
        "boats_add_up",
        schemas.TOY_BOATS,
        Gate.PUBLISH,
        "What is due for the boats adds up to what is due for their rentals.",
        "This is an error of the program: report it with the month.",
        control=Control("Money is lost or doubled in the sums.", "`toy_boats`, `toy_rentals`", "controller"),
    ),
    _check(
        "rentals_are_believable",
        schemas.TOY_RENTALS,
        Gate.WARN,
        "No rental costs more than the setting toy_dearest_cents.",
        "Look at the rentals listed: correct the tariff, or raise the setting.",
        lists="offenders",
        settings=("toy_dearest_cents",),
        control=Control(
            "A typing error is taken for revenue.", "`toy_rentals`; setting `toy_dearest_cents`", "revenue accounting"
        ),
    ),
    causes_add_up(recon.RECONCILIATIONS),
    variances_are_explained(
        recon.RECONCILIATIONS,
        CheckText(
            "every_booking_is_explained",
            "Every cent that the books hold otherwise than due has a named cause.",
            "Look at the boats listed: correct the booking, land it, and the month recomputes.",
            Control("Money differs and nobody knows why.", "`toy_recon_causes`: `unexplained`", "revenue accounting"),
        ),
    ),
    causes_are_within_materiality(
        recon.RECONCILIATIONS,
        recon.BOOKED,
        CheckText(
            "bookings_are_within_materiality",
            "Causes other than late postings on rows in breach stay within materiality, gross.",
            "Have the largest causes corrected in the books, or waive with a reason.",
            Control("The books are materially wrong.", "`toy_recon_causes`", "revenue accounting"),
        ),
    ),
    deliveries_cover_cutoff(
        "toy_extract_covers_cutoff",
        recon.RECONCILIATIONS.summary,
        EXTRACTS,
        "Rentals have been delivered at or after the cutoff.",
        "The month is signed before its bookings are in.",
    ),
)
