"""A past world: what was visible at an instant, computed beside the home; it is never published and nobody signs it.

Belongs here: computing it. Does not belong here: where it stands (``Settings.past_world``), reading it (``serving.export``).

Table by table over all months: what reads other months of a table finds them there.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from revenue_integrity import months
from revenue_integrity.computing import ingestion, landed_month, table_month, whole_tables
from revenue_integrity.computing.staleness import due_months
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.catalog import read_catalog

Say = Callable[[str], None]


def compute(deployment: Deployment, as_of: datetime, wanted: Sequence[date] | None, *, only: str | None, say: Say) -> Settings:
    """Compute the world as it was visible at an instant, for some months (``None``: all that were due) and one stream or all.

    What is there of it already is not computed again. Returns the settings of that world, whose home is a folder below the home.

    Raises:
        UsageError: there is no such stream.
    """
    past = deployment.settings.past_world(as_of)
    chosen = deployment if only is None else deployment.only(only)
    tables, failures = chosen.tables, []
    with database.held(past):
        for stream in chosen.streams:
            ingestion.ingest(past, stream, as_of)
        for stream in ingestion.in_use(past, chosen.streams):
            due = due_months(stream, read_catalog(past), past) if wanted is None else wanted
            say(f"{stream.name}: {len(due)} months")
            failures += _compute(stream, due, past, tables)
    say(f"The world as of {as_of:%Y-%m-%dT%H:%M:%SZ} is computed; read it with `export DATASET --as-of {as_of:%Y%m%dT%H%M%SZ}`")
    if failures:
        say("\n".join(["failed:", *(f"  {failure}" for failure in failures)]))
    return past


def _compute(stream: Stream, wanted: Sequence[date], settings: Settings, tables: dict[str, Table]) -> list[str]:
    """Compute the tables of some months; return what failed, as sentences. A month stops at the first table that does."""
    manifest = ingestion.read_manifest(settings, stream)
    failed = {month: landed_month.told_of_changed(manifest, month) for month in wanted if manifest.changed_in(month)}
    for month in wanted:
        if month not in failed:
            landed_month.record(settings, stream, month, stream.sources, manifest)
    for rule in stream.rules_in_order():
        for month in wanted:
            if month not in failed:
                try:
                    table_month.compute(rule, month, settings, tables)
                except RevenueIntegrityError as error:
                    failed[month] = f"{rule.table.qualified}: {error}"
    of_none = []
    for rule in stream.whole:
        try:
            whole_tables.compute(rule, stream, settings)
        except RevenueIntegrityError as error:
            of_none.append(f"{rule.table.qualified}: {error}")
    return [*(f"{months.label(month)} {why}" for month, why in sorted(failed.items())), *of_none]
