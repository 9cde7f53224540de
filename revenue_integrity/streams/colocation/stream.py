"""The colocation stream, put together."""

from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.model.signed import signed_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.streams.colocation import curated, figures, mart, recon, register, risk, schemas
from revenue_integrity.streams.colocation.checks import CHECKS
from revenue_integrity.streams.colocation.recon_checks import EXTRACTS, RECON_CHECKS
from revenue_integrity.streams.colocation.sources import SOURCES

COLOCATION = Stream(
    name="colocation",
    sources=SOURCES,
    rules=(*curated.RULES, *mart.RULES, *risk.RULES, *register.RULES, *recon.RULES),
    checks=(*landing_checks("colocation", SOURCES), *CHECKS, *RECON_CHECKS),
    signed=(
        signed_table(schemas.EXPECTED_CHARGES),
        signed_table(schemas.CONTRACT_MONTH),
        signed_table(schemas.POWER_ALLOCATION),
        signed_table(schemas.MRR_MOVEMENTS),
        signed_table(schemas.RACK_MONTH),
        signed_table(recon.BRIDGE, "as_of_close_cents", "late_cents", "current_cents"),
        signed_table(recon.RECONCILIATIONS.results, "left_cents", "right_cents", "variance_cents", only=("unit", "cents")),
    ),
    extracts=EXTRACTS,
    prefix="",
    reconciliations=recon.RECONCILIATIONS,
    figures=figures.STATUS,
    report="revenue_integrity.streams.colocation.report:REPORT",
    powerbi="revenue_integrity.streams.colocation.powerbi:POWER_BI",
    corrections="revenue_integrity.streams.colocation.corrections:CORRECTIONS",
)
