"""The event store: sources whose rows come by the million stay in Parquet files, and only what is few enters tables.

Belongs here: one ingestion of a stream's event logs, step by step. Does not belong here: any step (its neighbours), reading and
judging text (``landing.reading``, ``values``), what is computed from events (each stream).

A landed Parquet file whose columns have the types of the contract is kept as it is, by a link; every other file is judged as
all sources are and written as Parquet once. What stands in the warehouse is told in ``tables``.

Like all of ingestion this is level, not edge: after any sequence of calls it holds what one call over the same batches would
have made, but for the numbers of files.
"""

from collections.abc import Sequence
from datetime import date

import duckdb

from revenue_integrity.landing.eventstore import counting, day_slices, former, recording, settling, tables, versions
from revenue_integrity.landing.eventstore.incoming import Incoming
from revenue_integrity.landing.eventstore.keeping import Keeping
from revenue_integrity.landing.eventstore.work import LogWork, events_of
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings


class EventStore:
    """One ingestion of the event logs of a stream.

    ``stage`` reads the new files before the transaction; ``apply`` puts them on record inside it.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, generation: str
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._logs = {
            schema: LogWork(connection, log, filling, settings) for schema, (log, filling) in tables.logs_of(sources).items()
        }
        # Files of a store that is built by other rules stand apart: until its transaction ends, the old ones are read.
        self._keeping = {
            schema: Keeping(work, tables.store_path(settings) / work.log.stream / work.log.name / generation[:12])
            for schema, work in self._logs.items()
        }

    def stage(self, source: Source, batches: Sequence[Incoming]) -> None:
        """Keep the files of some new batches. A batch with a file that cannot be read is marked, and nothing of it kept."""
        self._keeping[events_of(source).log.schema].stage(source, batches)

    def rows_in_files(self) -> dict[str, int]:
        """Return the rows in the files of what was staged, by batch."""
        rows: dict[str, int] = {}
        for keeping in self._keeping.values():
            for file in keeping.kept:
                rows[file.batch_id] = rows.get(file.batch_id, 0) + file.rows
        return rows

    def leave_out(self, batch_ids: Sequence[str]) -> None:
        """Let nothing of some staged batches count."""
        for keeping in self._keeping.values():
            keeping.leave_out(batch_ids)

    def forget(self) -> None:
        """Drop everything on record of the stream's files; what people admitted stays."""
        former.carry_over(self._connection, [work.log for work in self._logs.values()])
        for work in self._logs.values():
            tables.forget(self._connection, work.log)
            day_slices.forget(work)

    def create(self) -> None:
        """Make the views of the logs, over the tables of refused rows that must be there."""
        for work in self._logs.values():
            tables.create_views(self._connection, work.log, list(work.sources.values()), self._settings)

    def apply(self) -> dict[str, set[date]]:
        """Put what was staged on record; return the months that are touched, by source."""
        touched: dict[str, set[date]] = {}
        for schema, work in self._logs.items():
            kept = self._keeping[schema].kept
            _begin(work)
            recording.store_bad(work)
            if kept:
                recording.number(work, kept)
                recording.note_days(work, kept)
                recording.note_breakdowns(work, kept)
                versions.note_versions(work, kept)
            settling.settle(work)
            counting.count_batches(work, kept)
            touched |= day_slices.refresh(work)
        return touched

    def admit(self, month: date) -> bool:
        """Let what was set aside for a month count, in the caller's transaction; return whether there was anything."""
        admitted = False
        for work in self._logs.values():
            _begin(work)
            if settling.admit(work, month):
                day_slices.refresh(work)
                admitted = True
        return admitted

    def clean(self) -> None:
        """Remove kept files that nothing refers to: of another generation, or of an ingestion that did not end."""
        referred = set(
            tables.kept_files(self._connection, [each for work in self._logs.values() for each in work.sources.values()])
        )
        for stream in sorted({work.log.stream for work in self._logs.values()}):
            place = tables.store_path(self._settings) / stream
            # Whatever lies deeper comes first, so that directories are empty by the time they are met.
            for file in sorted(place.rglob("*"), reverse=True) if place.is_dir() else []:
                if file.is_dir():
                    if not any(file.iterdir()):
                        file.rmdir()
                elif str(file.relative_to(self._settings.home)) not in referred:
                    file.unlink()


def _begin(work: LogWork) -> None:
    work.execute(f"create or replace temp table landing_days ({work.day} DATE)")
    work.execute("create or replace temp table landing_versions (file_no BIGINT)")
