"""The cloud stream, put together."""

from revenue_integrity.close.landing_checks import landing_checks
from revenue_integrity.model.stream import Stream
from revenue_integrity.streams.cloud import completeness, curated, focus, mart, month, recon, register, restatement, schemas
from revenue_integrity.streams.cloud.checks import CHECKS, EXTRACTS
from revenue_integrity.streams.cloud.figures import COST, VARIANCE
from revenue_integrity.streams.cloud.sources import SOURCES, STREAM

CLOUD = Stream(
    name=STREAM,
    sources=SOURCES,
    rules=(*curated.RULES, *mart.RULES, *month.RULES, *recon.RULES, *register.RULES),
    checks=(*landing_checks(STREAM, SOURCES), *CHECKS),
    signed=recon.SIGNED,
    extracts=EXTRACTS,
    reconciliations=recon.RECONCILIATIONS,
    report="revenue_integrity.streams.cloud.report:REPORT",
    powerbi="revenue_integrity.streams.cloud.powerbi:POWER_BI",
    corrections="revenue_integrity.streams.cloud.corrections:CORRECTIONS",
    refresh=completeness.refresh,
    refresh_settings=completeness.SETTINGS,
    ledgers=(schemas.CLOUD_RESTATEMENT,),
    before_publish=restatement.before_publish,
    after_publish=restatement.after_publish,
    composed=(curated.EXPORTED, focus.EXPORTED, *month.EXPORTED),
    figures=(COST, VARIANCE),
)
"""Stream 2: billing events and FOCUS exports to daily account cost."""
