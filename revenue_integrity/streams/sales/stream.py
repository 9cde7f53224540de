"""The sales stream, put together."""

from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.model.stream import Stream
from revenue_integrity.streams.sales import curated, gold, mart
from revenue_integrity.streams.sales.sources import SOURCES, STREAM

SALES = Stream(
    name=STREAM,
    sources=SOURCES,
    rules=(*curated.RULES, *gold.RULES, *mart.RULES),
    checks=landing_checks(STREAM, SOURCES),
    whole=(*curated.WHOLE, *gold.WHOLE, *mart.WHOLE),
)
"""Stream 4: what tills and shops sold, as a star schema."""
