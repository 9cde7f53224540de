"""The toy stream, put together."""

from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.model.stream import Stream
from revenue_integrity_tests.toy import curated, mart, recon
from revenue_integrity_tests.toy.checks import CHECKS, EXTRACTS
from revenue_integrity_tests.toy.sources import SOURCES

TOY = Stream(
    name="toy",
    sources=SOURCES,
    rules=(*curated.RULES, *mart.RULES, *recon.RULES),
    checks=(*landing_checks("toy", SOURCES), *CHECKS),
    title="Boats",
    signed=recon.SIGNED,
    extracts=EXTRACTS,
    reconciliations=recon.RECONCILIATIONS,
    figures=(mart.DUE,),
    report="revenue_integrity_tests.toy.report:REPORT",
)
"""Boats that are rented out, and what the books hold of it."""
