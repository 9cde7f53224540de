"""The record of batches: which were read, what they weighed at first sight, and whether they still do.

Belongs here: ``meta.batches``, looking at known batches again, what a changed one means. Does not belong here: directories
(``zone``), rows of batches (``merge``, ``eventstore``), the order of work (``ingest``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from revenue_integrity import clock
from revenue_integrity.errors import LandingError, WarehouseError
from revenue_integrity.landing.reading.inspection import FileFacts, inspect, sha256_of
from revenue_integrity.landing.reading.limits import Limits
from revenue_integrity.landing.report import IngestReport, Violation
from revenue_integrity.landing.zone import AHEAD, NOTE, FoundBatch, Scan, covers_of, digest_of, scan
from revenue_integrity.model.source import Source
from revenue_integrity.model.withdrawal import WITHDRAWN

_BATCHES = """
    create table if not exists meta.batches (
        batch_id VARCHAR not null, stream VARCHAR not null, source VARCHAR not null, arrival TIMESTAMPTZ not null,
        digest VARCHAR not null, status VARCHAR not null, rows_in_file BIGINT not null, rows_loaded BIGINT not null,
        rows_quarantined BIGINT not null, exact_duplicates BIGINT not null, corrections BIGINT not null,
        unknown_columns VARCHAR not null, error VARCHAR, first_seen_at TIMESTAMPTZ not null, files VARCHAR not null,
        found_digest VARCHAR, first_status VARCHAR not null, covers VARCHAR not null default '', backdated BOOLEAN
    )
"""


@dataclass(frozen=True)
class Known:
    """A batch that is on record: its digest at first sight, what became of it, when it came, the last look at its directory."""

    digest: str
    status: str
    first_status: str
    first_seen_at: datetime
    arrival: datetime
    files: str

    @property
    def is_early(self) -> bool:
        """Whether its arrival was yet to come when it was read, as earlier releases did."""
        return self.arrival > self.first_seen_at + AHEAD


@dataclass
class New:
    """A batch that is read now."""

    batch: FoundBatch
    facts: list[FileFacts]
    error: str = ""
    unknown: set[str] = field(default_factory=set)
    covers: str = ""
    note_digest: str = ""

    @property
    def digest(self) -> str:
        """Its digest, of the files as they were inspected."""
        note = [(NOTE, self.note_digest)] if self.note_digest else []
        return digest_of([*((file.name, file.sha256) for file in self.facts), *note])


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of this module if they are not there."""
    connection.execute(_BATCHES)
    # Stores of earlier releases have no such columns: nothing was said of their batches, and nobody judged them.
    connection.execute("alter table meta.batches add column if not exists covers VARCHAR default ''")
    connection.execute("alter table meta.batches add column if not exists backdated BOOLEAN")
    connection.execute("""
        create table if not exists meta.batch_months (
            batch_id VARCHAR not null, month DATE not null, loaded BIGINT not null, quarantined BIGINT not null,
            duplicates BIGINT not null, replaced BIGINT not null
        )
    """)


def known_batches(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> dict[str, Known]:
    """Return the batches of some sources that are on record, by their ids."""
    rows = connection.execute(
        "select batch_id, digest, status, first_status, first_seen_at, arrival, files from meta.batches"
        " where list_contains(?, stream) order by batch_id",
        [sorted({source.stream for source in sources})],
    ).fetchall()
    return {batch_id: Known(*more) for batch_id, *more in rows}


def refuse_later(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], as_of: datetime | None) -> None:
    """Refuse a store that holds what had not arrived by an as-of."""
    if as_of is None:
        return
    streams = sorted({source.stream for source in sources})
    later = connection.execute(
        "select batch_id from meta.batches where list_contains(?, stream) and arrival > ? order by all limit 1", [streams, as_of]
    ).fetchall()
    if later:
        raise WarehouseError(
            f"the store holds {later[0][0]}, which arrived after {as_of.isoformat()}",
            "Use a warehouse of its own for a past world",
        )


def refuse_unfaithful(found: Scan, known: Mapping[str, Known]) -> None:
    """Refuse to build again what the landing zone no longer says. What is withdrawn is not asked."""
    by_id = {batch.batch_id: batch for batch in found.batches}
    for batch_id, recorded in known.items():
        if recorded.first_status == WITHDRAWN:
            continue
        batch = by_id.get(batch_id)
        digest = _digest(batch) if batch else "nothing"
        if digest != recorded.digest:
            raise LandingError(
                "the store must be built again, for the rules of ingestion have changed or files of it are gone, and cannot be:"
                f" batch {batch_id} was recorded with digest {recorded.digest}, {digest} is found",
                "Put the original files of the batch back",
            )


def _digest(batch: FoundBatch) -> str:
    return digest_of((file.name, sha256_of(batch.path / file.name)) for file in batch.all_files)


def look_again(batches: Iterable[FoundBatch], known: Mapping[str, Known]) -> dict[str, str]:
    """Return the digests of batches whose names, sizes or times are not those of the last look."""
    return {
        batch.batch_id: _digest(batch)
        for batch in batches
        if batch.batch_id in known and known[batch.batch_id].files != batch.look
    }


def read_new(batch: FoundBatch, limits: Limits) -> New:
    """Return what a batch is: each of its files, and what its writer says about it."""
    new = New(batch, [inspect(batch.path / file.name, limits) for file in batch.files])
    if batch.note:
        new.note_digest = sha256_of(batch.path / NOTE)
        try:
            new.covers = covers_of(batch)
        except LandingError as error:
            new.error = str(error)
    return new


def judge_backdated(connection: duckdb.DuckDBPyConnection, stream: str, signed: Sequence[tuple[datetime, datetime]]) -> None:
    """Put on record of batches that were not judged yet whether their arrival lies in what was signed before they were seen.

    ``signed`` has, for each approval, when it was made and the as-of that it signed.
    """
    connection.execute(
        """
        update meta.batches as b set backdated = exists (
            select 1 from (select unnest($at::TIMESTAMPTZ[]) as at, unnest($as_of::TIMESTAMPTZ[]) as as_of) as s
            where s.at <= b.first_seen_at and b.arrival <= s.as_of
        )
        where b.stream = $stream and b.backdated is null
        """,
        {"stream": stream, "at": [at for at, _ in signed], "as_of": [as_of for _, as_of in signed]},
    )


def counts(connection: duckdb.DuckDBPyConnection, batch_id: str) -> bool:
    """Return whether a batch is on record, and nobody has withdrawn it."""
    asked = "select 1 from meta.batches where batch_id = ? and first_status <> ?"
    return bool(connection.execute(asked, [batch_id, WITHDRAWN]).fetchall())


def forget(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Drop what is on record of the batches of a source."""
    for table in ("batches", "batch_months"):
        connection.execute(f"delete from meta.{table} where starts_with(batch_id, ?)", [source.prefix])


def record_looks(
    connection: duckdb.DuckDBPyConnection,
    looks: Mapping[str, str],
    known: Mapping[str, Known],
    found: Mapping[str, FoundBatch],
) -> None:
    """Record what a second look at known batches found: the same bytes, or others."""
    for batch_id, digest in looks.items():
        same = digest == known[batch_id].digest
        connection.execute(
            "update meta.batches set files = $files, found_digest = $found,"
            " status = case when $same then first_status else 'changed' end where batch_id = $batch_id",
            {"files": found[batch_id].look, "found": None if same else digest, "same": same, "batch_id": batch_id},
        )


def record_new(
    connection: duckdb.DuckDBPyConnection, news: Sequence[New], known: Mapping[str, Known], report: IngestReport
) -> None:
    """Record batches that are read for the first time, or again because the store is built again, and tell the report."""
    now = clock.now()
    rows = []
    for new in news:
        batch_id = new.batch.batch_id
        stream, source, _ = batch_id.split("/")
        status = "rejected" if new.error else "loaded"
        if new.error:
            report.rejected[batch_id] = new.error
        else:
            report.loaded.append(batch_id)
        before = known.get(batch_id)
        rows.append(
            {
                "batch_id": batch_id,
                "stream": stream,
                "source": source,
                "arrival": new.batch.arrival,
                "digest": new.digest,
                "status": status,
                "unknown": ",".join(sorted(new.unknown)) if not new.error else "",
                "error": new.error or None,
                "seen": before.first_seen_at if before else now,
                "files": new.batch.look,
                "covers": new.covers,
            }
        )
    if rows:
        connection.execute(
            """
            insert into meta.batches
            select
                unnest($batch_id), unnest($stream), unnest($source), unnest($arrival), unnest($digest), unnest($status),
                0, 0, 0, 0, 0, unnest($unknown), unnest($error::VARCHAR[]), unnest($seen), unnest($files), null,
                unnest($status), unnest($covers), null
            """,
            {key: [row[key] for row in rows] for key in rows[0]},
        )


def faithful(connection: duckdb.DuckDBPyConnection, batch_ids: Sequence[str], found: Mapping[str, FoundBatch]) -> list[str]:
    """Return those of some batches that stand in the landing zone as they were read."""
    rows = connection.execute("select batch_id from meta.batches where status = 'changed'").fetchall()
    changed = {batch_id for (batch_id,) in rows}
    return [batch_id for batch_id in batch_ids if batch_id in found and batch_id not in changed]


def changed_batches(connection: duckdb.DuckDBPyConnection, streams: Iterable[str]) -> list[Violation]:
    """Return the batches of some streams that are on record as changed."""
    changed = connection.execute(
        """
        select batches.batch_id, digest, found_digest, list(month order by month) filter (where month is not null)
        from meta.batches as batches left join meta.batch_months using (batch_id)
        where status = 'changed' and list_contains(?, stream)
        group by all order by all
        """,
        [sorted(streams)],
    ).fetchall()
    return [Violation(batch_id, was, found, tuple(months or ())) for batch_id, was, found, months in changed]


def violations(connection: duckdb.DuckDBPyConnection, landing: Path, sources: Sequence[Source]) -> list[Violation]:
    """Compute the digests of all recorded batches again and return those that differ; a batch that is gone has none."""
    found = {batch.batch_id: batch for batch in scan(landing, sources).batches}
    wrong = []
    for batch_id, recorded in known_batches(connection, sources).items():
        digest = _digest(found[batch_id]) if batch_id in found else "nothing"
        if digest != recorded.digest:
            months = connection.execute(
                "select month from meta.batch_months where batch_id = ? order by all", [batch_id]
            ).fetchall()
            wrong.append(Violation(batch_id, recorded.digest, digest, tuple(month for (month,) in months)))
    return wrong
