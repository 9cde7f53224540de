"""The sales stream, put together."""

from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.landing.refused import refused_rows
from revenue_integrity.model.signed import signed_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.streams.sales import curated, figures, gold, mart, recon, register, schemas
from revenue_integrity.streams.sales.checks import CHECKS, EXTRACTS
from revenue_integrity.streams.sales.sources import CUSTOMERS, PRODUCTS, SOURCES, STREAM, TRANSACTIONS

SALES = Stream(
    name=STREAM,
    sources=SOURCES,
    rules=(*curated.RULES, *gold.RULES, *mart.RULES, *recon.RULES, *register.RULES),
    checks=(*landing_checks(STREAM, SOURCES), *CHECKS),
    signed=(
        signed_table(schemas.FACT),
        signed_table(recon.BRIDGE, "as_of_close_cents", "late_cents", "current_cents"),
        signed_table(recon.RECONCILIATIONS.results, "left_cents", "right_cents", "variance_cents"),
    ),
    extracts=EXTRACTS,
    reconciliations=recon.RECONCILIATIONS,
    figures=figures.STATUS,
    report="revenue_integrity.streams.sales.report:REPORT",
    powerbi="revenue_integrity.streams.sales.powerbi:POWER_BI",
    composed=tuple(refused_rows(source, f"invalid_{source.name}") for source in (TRANSACTIONS, CUSTOMERS, PRODUCTS)),
    whole=(*curated.WHOLE, *gold.WHOLE, *mart.WHOLE),
)
"""Stream 4: what tills and shops sold, as a star schema that ties to ledger and settlements."""
