"""The bookings stream, put together."""

from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.model.signed import signed_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.streams.bookings import curated, figures, mart, recon, register, schemas
from revenue_integrity.streams.bookings.checks import CHECKS, EXTRACTS
from revenue_integrity.streams.bookings.sources import SOURCES, STREAM

BOOKINGS = Stream(
    name=STREAM,
    sources=SOURCES,
    rules=(*curated.RULES, *mart.RULES, *recon.RULES, *register.RULES),
    checks=(*landing_checks(STREAM, SOURCES), *CHECKS),
    signed=(
        signed_table(schemas.RECOGNITION_SCHEDULE, "expected_cents"),
        signed_table(schemas.DEAL_MONTH, "expected_cents", "recognized_cents", "billed_cents"),
        signed_table(schemas.BOOKINGS_MONTH),
        signed_table(recon.BRIDGE, "as_of_close_cents", "late_cents", "current_cents"),
        signed_table(
            recon.RECONCILIATIONS.results,
            "left_cents",
            "right_cents",
            "variance_cents",
            only=("recon", recon.RECOGNIZED),
        ),
    ),
    extracts=EXTRACTS,
    reconciliations=recon.RECONCILIATIONS,
    figures=figures.STATUS,
    report="revenue_integrity.streams.bookings.report:REPORT",
    powerbi="revenue_integrity.streams.bookings.powerbi:POWER_BI",
    corrections="revenue_integrity.streams.bookings.corrections:CORRECTIONS",
)
"""Stream 3: what deals promise against what accounting recognized."""
