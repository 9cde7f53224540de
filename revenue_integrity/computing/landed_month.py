"""What was landed of one month: its batches judged against first sight, its sources put on record, its refused rows counted.

Belongs here: these, for whoever brings a month up to date. Does not belong here: reading batches (``computing.ingestion``),
Dagster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from revenue_integrity import months
from revenue_integrity.computing.ingestion import Manifest
from revenue_integrity.computing.staleness import raw_record
from revenue_integrity.landing.eventstore import tables as event_tables
from revenue_integrity.model.check import Judgement
from revenue_integrity.model.source import Source, raw_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database

if TYPE_CHECKING:
    import duckdb

_PUT_BACK = "Put the original files back, or land what changed as a new batch: a batch never changes once it is visible."


@dataclass(frozen=True)
class Recorded:
    """A source's month on record: its rows and their hash."""

    rows: int
    content_hash: str


@dataclass(frozen=True)
class LandedMonth:
    """What is on record of a month's deliveries.

    Attributes:
        sources: what each source that was asked for holds, by name.
        refused: how many rows of the month are quarantined.
    """

    sources: Mapping[str, Recorded]
    refused: int


def batches_unchanged(manifest: Manifest, month: date) -> Judgement:
    """Judge whether the batches of a month are what they were at first sight; if not, nothing of the month is computed."""
    changed = manifest.changed_in(month)
    told = [{"batch_id": batch, "recorded": facts["recorded"], "found": facts["found"]} for batch, facts in changed.items()]
    return Judgement(
        not changed, {"changed_batches": len(changed)}, pd.DataFrame(told) if changed else None, _PUT_BACK if changed else ""
    )


def told_of_changed(manifest: Manifest, month: date) -> str:
    """Return which batches of a month have changed and what to do, as a sentence."""
    batches = "; ".join(
        f"batch {batch} has changed: digest {facts['recorded']} was recorded at first sight, {facts['found']} is found"
        for batch, facts in manifest.changed_in(month).items()
    )
    return f"{batches}; {months.label(month)} is not recomputed. {_PUT_BACK}"


def record(settings: Settings, stream: Stream, month: date, sources: Sequence[Source], manifest: Manifest) -> LandedMonth:
    """Put the month of some sources on record, in one transaction."""
    known = catalog.read_catalog(settings)
    recorded: dict[str, Recorded] = {}
    with database.connect(settings) as connection:
        connection.begin()
        for source in sources:
            present = raw_record(source, month, known, manifest)
            rows = _rows_of_source(connection, source, month)
            catalog.record(connection, raw_table(source), month, rows=rows, **present)
            recorded[source.name] = Recorded(rows, present["content_hash"])
        connection.commit()
        refused = _refused_rows(connection, stream, month)
        catalog.refresh(connection, settings, month)
    return LandedMonth(recorded, refused)


def _refused_rows(connection: "duckdb.DuckDBPyConnection", stream: Stream, month: date) -> int:
    counting = "select count(*) as rows from meta.quarantine where stream = $stream and month = $month"
    ((rows,),) = connection.execute(counting, {"stream": stream.name, "month": month}).fetchall()
    return int(rows)


def _rows_of_source(connection: "duckdb.DuckDBPyConnection", source: Source, month: date) -> int:
    if source.is_kept_in_files:
        return event_tables.rows_of_month(connection, source, month)
    of_month = "where month = $month" if source.has_month else ""
    given = {"month": month} if source.has_month else {}
    ((rows,),) = connection.execute(f"select count(*) from raw.{source.dataset} {of_month}", given).fetchall()
    return int(rows)
