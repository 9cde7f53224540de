"""The front door: what Dagster loads as the code location of the home that the settings name."""

from revenue_integrity import process
from revenue_integrity.orchestration.assembly import build_definitions
from revenue_integrity.streams.registry import deployment_of, load_settings

process.beginning()
defs = build_definitions(deployment_of(load_settings()))
process.begun()
