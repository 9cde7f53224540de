"""From the landing zone to the raw tables: what is new is read, judged and stored, in one transaction.

Belongs here: the order of work, the manifest of batches, and the incremental algorithm. Does not belong here: reading files
(``reading``), what makes a row bad (each stream's ``sources``), slices for fingerprints (``slices``), frames for people
(``frames``).

The store is level, not edge: after any sequence of calls it equals what one call over the same batches would have made. Three
tables of a source hold every data row exactly once: ``raw.<source>`` what is loaded, ``meta.held_<source>`` exact duplicates and
quarantined rows. An ingestion

1. judges the new rows on their own while reading them (parse, domain),
2. takes back what may have changed: quarantined rows whose look-up changed, loaded rows that their changed look-up now refuses,
3. judges both by their references,
4. takes back every stored row of a key that comes up, and resolves the versions of these keys alone,
5. stores all of it, and adds and subtracts the counts of what was put in and taken back.

So a batch costs in proportion to itself, beside scans of key columns.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from revenue_integrity import clock
from revenue_integrity.errors import LandingError, WarehouseError
from revenue_integrity.landing.eventstore import slices
from revenue_integrity.landing.eventstore import store as events
from revenue_integrity.landing.merge import DELTA, Merge, create_delta, remake_lookup
from revenue_integrity.landing.reading import FileFacts, Stager, inspect, sha256_of
from revenue_integrity.landing.values import name, quote
from revenue_integrity.landing.zone import FoundBatch, Scan, digest_of, scan
from revenue_integrity.model.source import Lookup, Source, fingerprint, raw_table, under
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.database import transaction

RULES_VERSION = "6"
"""Raise it when reading, judging or resolving changes its results: the store is then built again from the landing zone."""

_WANTED = 1000
"""Identifiers up to which rows are found again by a list of them."""

_BATCHES = """
    create table if not exists meta.batches (
        batch_id VARCHAR not null, stream VARCHAR not null, source VARCHAR not null, arrival TIMESTAMPTZ not null,
        digest VARCHAR not null, status VARCHAR not null, rows_in_file BIGINT not null, rows_loaded BIGINT not null,
        rows_quarantined BIGINT not null, exact_duplicates BIGINT not null, corrections BIGINT not null,
        unknown_columns VARCHAR not null, error VARCHAR, first_seen_at TIMESTAMPTZ not null, files VARCHAR not null,
        found_digest VARCHAR, first_status VARCHAR not null
    )
"""


@dataclass(frozen=True)
class Violation:
    """A batch that no longer has the bytes that were recorded at first sight.

    Attributes:
        batch_id: the batch.
        recorded: the digest at first sight.
        found: the digest now.
        months: the months that it touches, which must not be recomputed.
    """

    batch_id: str
    recorded: str
    found: str
    months: tuple[date, ...]

    def __str__(self) -> str:
        return (
            f"batch {self.batch_id} has changed: digest {self.recorded} was recorded at first sight, {self.found} is found;"
            f" months {', '.join(f'{month:%Y-%m}' for month in self.months) or 'none'} are not recomputed"
        )


@dataclass
class IngestReport:
    """What an ingestion found and did.

    Attributes:
        loaded: batches read for the first time.
        rejected: batches refused as a whole, with the reason.
        changed: batches that have changed, now or earlier.
        missing: batches that were read once and are no longer in the landing zone.
        ignored: entries of the landing zone that are no batch, with the reason.
        rows: data rows of the new batches.
        quarantined: rows of the new batches that went to quarantine.
        healed: rows that left quarantine because their reference arrived.
        refused: rows loaded before that a changed reference now refuses.
        touched: per source, the months whose loaded rows may have changed.
        rebuilt: whether the store was built again because its rules or its currency changed.
    """

    loaded: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    changed: list[Violation] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    rows: int = 0
    quarantined: int = 0
    healed: int = 0
    refused: int = 0
    touched: dict[str, set[date]] = field(default_factory=dict)
    rebuilt: bool = False

    @property
    def touched_months(self) -> list[date]:
        """All months whose loaded rows may have changed, in order."""
        return sorted(set().union(*self.touched.values()))


@dataclass(frozen=True)
class _Known:
    digest: str
    status: str
    first_status: str
    first_seen_at: datetime
    files: str


@dataclass
class _New:
    """A batch that is read now."""

    batch: FoundBatch
    facts: list[FileFacts]
    error: str = ""
    unknown: set[str] = field(default_factory=set)

    @property
    def digest(self) -> str:
        return digest_of((file.name, file.sha256) for file in self.facts)


def ingest(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    sources: Sequence[Source],
    settings: Settings,
    as_of: datetime | None = None,
) -> IngestReport:
    """Bring the store up to date with the landing zone: idempotent, incremental, in one transaction.

    ``sources`` are all sources of their streams, each behind those that its look-ups are made from. With ``as_of`` only
    batches that had arrived by then are read; such a world needs a store of its own.

    Raises:
        WarehouseError: the store holds batches that arrived after ``as_of``.
        LandingError: the store must be built again, and a batch of it has changed or is gone.
        OSError: the landing zone cannot be read.
    """
    sources = under(sources, settings)
    _check_order(sources)
    _prepare(connection)
    found = scan(landing, sources)
    known = _known(connection, sources)
    rebuild = _must_rebuild(connection, sources, settings)
    batches = [batch for batch in found.batches if as_of is None or batch.arrival <= as_of]
    _refuse_later(connection, sources, as_of)
    if rebuild:
        _refuse_unfaithful(found, known)
    report = IngestReport(ignored=list(found.ignored), rebuilt=rebuild and bool(known))
    present = {batch.batch_id for batch in found.batches}
    report.missing = [batch_id for batch_id in known if batch_id not in present]
    looks = {} if rebuild else _look_again(batches, known)
    news = [_New(batch, _inspect(batch)) for batch in batches if rebuild or batch.batch_id not in known]
    work = _Work(connection, landing, sources, settings, report, known, {batch.batch_id: batch for batch in found.batches})
    try:
        work.stage(news)
        with transaction(connection):
            work.apply(news, looks, rebuild)
    finally:
        work.clear()
    if news or rebuild:
        work.events.clean()
    return report


def _check_order(sources: Sequence[Source]) -> None:
    settled: set[str] = set()
    for source in sources:
        for reference in source.references:
            if missing := set(reference.lookup.made_from) - settled:
                raise ValueError(f"source {source.name} stands before {sorted(missing)}, which it refers to")
        settled.add(source.name)


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = true")
    connection.execute("create schema if not exists raw; create schema if not exists meta")
    connection.execute(_BATCHES)
    connection.execute("create table if not exists meta.ingestion (stream VARCHAR not null, built_by VARCHAR not null)")
    connection.execute("""
        create table if not exists meta.batch_months (
            batch_id VARCHAR not null, month DATE not null, loaded BIGINT not null, quarantined BIGINT not null,
            duplicates BIGINT not null, replaced BIGINT not null
        )
    """)
    slices.prepare(connection)
    events.prepare(connection)


def _known(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> dict[str, _Known]:
    rows = connection.execute(
        "select batch_id, digest, status, first_status, first_seen_at, files from meta.batches where list_contains(?, stream)"
        " order by batch_id",
        [sorted({source.stream for source in sources})],
    ).fetchall()
    return {batch_id: _Known(*more) for batch_id, *more in rows}


def built_by(sources: Sequence[Source], settings: Settings) -> str:
    """Return what a store is built by: another value means that it must be built again."""
    # Which tenant a FOCUS account belongs to is settled when a file is kept.
    tenants = [str(sorted(settings.tenant_of_billing_account.items()))]
    return fingerprint(
        under(sources, settings),
        settings.currency,
        RULES_VERSION,
        *(tenants if any(source.is_kept_in_files for source in sources) else []),
    )


def _must_rebuild(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings) -> bool:
    built = connection.execute(
        "select built_by from meta.ingestion where list_contains(?, stream)", [sorted({source.stream for source in sources})]
    ).fetchall()
    if {each for (each,) in built} != {built_by(sources, settings)}:
        return True
    # They are links or copies of what was landed: whatever is lost of them can be made again.
    return bool(events.lost_files(events.kept_files(connection, sources), settings))


def _refuse_later(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], as_of: datetime | None) -> None:
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


def _refuse_unfaithful(found: Scan, known: Mapping[str, _Known]) -> None:
    """Refuse to build again what the landing zone no longer says."""
    by_id = {batch.batch_id: batch for batch in found.batches}
    for batch_id, recorded in known.items():
        batch = by_id.get(batch_id)
        digest = _digest(batch) if batch else "nothing"
        if digest != recorded.digest:
            raise LandingError(
                "the store must be built again, for the rules of ingestion have changed or files of it are gone, and cannot be:"
                f" batch {batch_id} was recorded with digest {recorded.digest}, {digest} is found",
                "Put the original files of the batch back",
            )


def _digest(batch: FoundBatch) -> str:
    return digest_of((file.name, sha256_of(batch.path / file.name)) for file in batch.files)


def _stat_text(batch: FoundBatch) -> str:
    return json.dumps([[file.name, file.size, file.modified] for file in batch.files])


def _look_again(batches: Iterable[FoundBatch], known: Mapping[str, _Known]) -> dict[str, str]:
    """Return the digests of batches whose names, sizes or times are not those of the last look."""
    return {
        batch.batch_id: _digest(batch)
        for batch in batches
        if batch.batch_id in known and known[batch.batch_id].files != _stat_text(batch)
    }


def _inspect(batch: FoundBatch) -> list[FileFacts]:
    return [inspect(batch.path / file.name) for file in batch.files]


class _Work:
    """One ingestion under way: the connection, what is staged, and the temporary tables between its steps."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        landing: Path,
        sources: Sequence[Source],
        settings: Settings,
        report: IngestReport,
        known: Mapping[str, _Known],
        found: Mapping[str, FoundBatch],
    ) -> None:
        self._connection = connection
        self._landing = landing
        self._sources = sources
        self._settings = settings
        self._report = report
        self._known = known
        self._found = found
        self._staged: set[str] = set()
        self._changed_lookups: set[str] = set()
        stream = "".join(sorted({source.stream for source in sources}))
        self.events = events.EventStore(connection, stream, sources, settings, built_by(sources, settings))

    # Before the transaction

    def stage(self, news: Sequence[_New]) -> None:
        """Read the new batches of each source into its staging table. A batch with a file that cannot be read is marked."""
        for source in self._sources:
            mine = [new for new in news if new.batch.batch_id.startswith(source.prefix)]
            if not mine:
                continue
            for new in mine:
                if new.batch.problem:
                    new.error = new.batch.problem
            if source.is_kept_in_files:
                self._keep_files(source, mine)
                continue
            staged = Stager(self._connection, source, self._settings.currency).stage(
                file for new in mine if not new.error for file in new.facts
            )
            rows: list[tuple[int, str, datetime, str]] = []
            for new in mine:
                problems = [staged.problems[file.path] for file in new.facts if file.path in staged.problems]
                new.error = new.error or "; ".join(problems)
                new.unknown = {column for file in new.facts for column in staged.unknown.get(file.path, ())}
                if not new.error:
                    rows += [(staged.numbers[file.path], new.batch.batch_id, new.batch.arrival, file.name) for file in new.facts]
            self._number_files(source, staged.table, rows)
            self._staged.add(source.name)

    def _keep_files(self, source: Source, news: Sequence[_New]) -> None:
        incoming = [events.Incoming(new.batch.batch_id, new.batch.arrival, new.facts, new.error) for new in news]
        self.events.stage(source, incoming)
        for new, kept in zip(news, incoming, strict=True):
            new.error, new.unknown = kept.error, kept.unknown

    def _number_files(self, source: Source, staged: str, rows: Sequence[tuple[int, str, datetime, str]]) -> None:
        keys = ("f", "batch", "arrival", "file")
        self._execute(
            f"""
            create or replace temp table landing_files_{source.name} as
            select numbered.*, counted.first_row, counted.rows
            from (
                select
                    unnest($f::INTEGER[]) as f, unnest($batch::VARCHAR[]) as batch_id,
                    unnest($arrival::TIMESTAMPTZ[]) as arrival, unnest($file::VARCHAR[]) as file_name
            ) as numbered
            inner join (
                select f, min(rowid) as first_row, count(*) as rows from {staged} group by f
            ) as counted on counted.f = numbered.f
            """,
            **{key: [row[place] for row in rows] for place, key in enumerate(keys)},
        )

    def _execute(self, sql: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or None)

    def _number(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchall()[0][0])

    def clear(self) -> None:
        """Drop the temporary tables."""
        left = self._execute("""
            select case when is_view then 'view' else 'table' end, name
            from (
                select false as is_view, table_name as name from duckdb_tables() where temporary
                union all select true, view_name from duckdb_views() where temporary and not internal
            )
            where starts_with(name, 'landing_') or starts_with(name, 'staged_')
                or name in ('judged_rows', 'reject_errors', 'reject_scans')
            order by 1 desc, 2
        """).fetchall()
        for kind, table in left:
            self._execute(f"drop {kind} if exists temp.{name(table)}")

    # In the transaction

    def apply(self, news: Sequence[_New], looks: Mapping[str, str], rebuild: bool) -> None:
        """Store everything."""
        if rebuild:
            self._drop()
            self._create()
        create_delta(self._connection)
        self._record_looks(looks)
        self._record_new(news)
        changed: set[str] = set()
        remade: set[str] = set()
        settled: set[str] = set()
        for source in self._sources:
            if source.is_kept_in_files:
                continue
            merge = Merge(self._connection, source, staged=source.name in self._staged, changed_lookups=remade)
            merged = merge.run()
            self._report.healed += merged.healed
            self._report.refused += merged.refused
            settled.add(source.name)
            if merged.changed:
                changed.add(source.name)
                self._report.touched[source.name] = set(merged.months)
            for lookup in self._lookups():
                complete = source.name in lookup.made_from and settled.issuperset(lookup.made_from)
                if complete and changed & set(lookup.made_from) and remake_lookup(self._connection, lookup):
                    remade.add(lookup.name)
        if any(source.is_kept_in_files for source in self._sources):
            self._report.touched |= self.events.apply()
        self._restore_raw()
        self._count()
        slices.refresh(
            self._connection, self._sources, self._settings.months, {each: self._report.touched[each] for each in sorted(changed)}
        )
        self._summarize(news)

    def _lookups(self) -> list[Lookup]:
        found = {reference.lookup.name: reference.lookup for source in self._sources for reference in source.references}
        return [found[each] for each in sorted(found)]

    def _drop(self) -> None:
        self.events.forget()
        for source in self._sources:
            self._execute(f"drop table if exists raw.{source.name}")
            self._execute("drop view if exists meta.quarantine")
            self._execute(f"drop table if exists meta.held_{source.name}")
            self._execute(f"drop table if exists meta.starts_{source.name}")
            for table in ("batches", "batch_months"):
                self._execute(f"delete from meta.{table} where starts_with(batch_id, {quote(source.prefix)})")
            slices.forget(self._connection, source)
        for lookup in self._lookups():
            self._execute(f"drop table if exists meta.lookup_{lookup.name}")
        for stream in sorted({source.stream for source in self._sources}):
            self._execute(f"delete from meta.ingestion where stream = {quote(stream)}")

    def _create(self) -> None:
        for source in self._sources:
            declared = raw_table(source)
            columns = ", ".join(
                f"{name(column)} {declared.sql_type(column)}{'' if declared.schema.columns[column].nullable else ' not null'}"
                for column in declared.columns
            )
            if not source.is_kept_in_files:
                self._execute(f"create table raw.{source.name} ({columns})")
            values = ", ".join(f"{name(column)} {source.sql_type(column)}" for column in source.values)
            self._execute(f"""
                create table meta.held_{source.name} (
                    {values}, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null, file_name VARCHAR not null,
                    row_number BIGINT not null, is_duplicate BOOLEAN not null, static_errors VARCHAR,
                    reference_errors VARCHAR, raw VARCHAR
                )
            """)
            if source.starts:
                by = ", ".join(f"{name(column)} {source.sql_type(column)} not null" for column in source.starts.by)
                self._execute(f"create table meta.starts_{source.name} ({by}, first_day DATE not null)")
        for lookup in self._lookups():
            self._execute(f"create table meta.lookup_{lookup.name} as {lookup.sql} limit 0")
        for stream in sorted({source.stream for source in self._sources}):
            self._execute(
                "insert into meta.ingestion values ($stream, $by)", stream=stream, by=built_by(self._sources, self._settings)
            )
        self._create_quarantine()

    def _create_quarantine(self) -> None:
        """Show quarantined rows of all sources that there are, and rejected batches, as one view."""
        held = self._execute(
            "select table_name from duckdb_tables() where schema_name = 'meta' and starts_with(table_name, 'held_') order by all"
        ).fetchall()
        parts = [
            f"""
            select
                split_part(batch_id, '/', 1) as stream, split_part(batch_id, '/', 2) as source, batch_id, file_name, row_number,
                {self._month_of(table)} as month, concat_ws('; ', static_errors, reference_errors) as dq_errors, raw, arrival
            from meta.{table} where not is_duplicate
            """
            for (table,) in held
        ]
        rejected = """
            select
                stream, source, batch_id, null as file_name, null as row_number, null as month, error as dq_errors,
                null as raw, arrival
            from meta.batches where first_status = 'rejected'
        """
        self._execute(f"create or replace view meta.quarantine as {' union all '.join([*parts, rejected])}")

    def _month_of(self, held: str) -> str:
        columns = self._execute(
            "select count(*) from duckdb_columns() where schema_name = 'meta' and table_name = $held and column_name = 'month'",
            held=held,
        ).fetchall()
        return "month" if columns[0][0] else "cast(null as DATE)"

    def _record_looks(self, looks: Mapping[str, str]) -> None:
        """Record what a second look at known batches found: the same bytes, or others."""
        for batch_id, digest in looks.items():
            same = digest == self._known[batch_id].digest
            self._execute(
                "update meta.batches set files = $files, found_digest = $found,"
                " status = case when $same then first_status else 'changed' end where batch_id = $batch_id",
                files=_stat_text(self._found[batch_id]),
                found=None if same else digest,
                same=same,
                batch_id=batch_id,
            )

    def _record_new(self, news: Sequence[_New]) -> None:
        now = clock.now()
        rows = []
        for new in news:
            batch_id = new.batch.batch_id
            stream, source, _ = batch_id.split("/")
            status = "rejected" if new.error else "loaded"
            if new.error:
                self._report.rejected[batch_id] = new.error
            else:
                self._report.loaded.append(batch_id)
            known = self._known.get(batch_id)
            rows.append(
                {
                    "batch_id": batch_id,
                    "stream": stream,
                    "source": source,
                    "arrival": new.batch.arrival,
                    "digest": new.digest,
                    "status": status,
                    "unknown": ", ".join(sorted(new.unknown)) if not new.error else "",
                    "error": new.error or None,
                    "seen": known.first_seen_at if known else now,
                    "files": _stat_text(new.batch),
                }
            )
        if rows:
            self._execute(
                """
                insert into meta.batches
                select
                    unnest($batch_id), unnest($stream), unnest($source), unnest($arrival), unnest($digest), unnest($status),
                    0, 0, 0, 0, 0, unnest($unknown), unnest($error::VARCHAR[]), unnest($seen), unnest($files), null,
                    unnest($status)
                """,
                **{key: [row[key] for row in rows] for key in rows[0]},
            )

    def _restore_raw(self) -> None:
        """Give rows that went to quarantine after they had been loaded the text that they came with, from their files."""
        for source in self._sources:
            batches = self._execute(
                f"select distinct batch_id from meta.held_{source.name} where raw is null and not is_duplicate order by all"
            ).fetchall()
            if batches:
                self._restore_raw_of(source, [batch_id for (batch_id,) in batches])

    def _restore_raw_of(self, source: Source, batch_ids: Sequence[str]) -> None:
        held = f"meta.held_{source.name}"
        lacking = "raw is null and not is_duplicate"
        wanted = self._connection.sql(f"select batch_id, file_name, row_number from {held} where {lacking}").to_arrow_table()
        # Reading on a connection of its own: an error would end this transaction, and reading falls back after errors.
        with self._connection.cursor() as reader:
            reader.execute("set TimeZone = 'UTC'")
            names = {}
            facts = []
            for batch_id in self._faithful(batch_ids):
                for file in _inspect(self._found[batch_id]):
                    names[file.path] = (batch_id, file.name)
                    facts.append(file)
            staged = Stager(reader, source, self._settings.currency, came=self._condition(source, lacking)).stage(facts)
            reader.register("wanted", wanted)
            came = reader.sql(
                f"""
                with files as (
                    select unnest($numbers::INTEGER[]) as f, unnest($batches::VARCHAR[]) as batch_id,
                        unnest($names::VARCHAR[]) as file_name
                ),
                came as (
                    select batch_id, file_name, rowid - min(rowid) over (partition by f) + 1 as row_number, raw
                    from {staged.table} inner join files using (f)
                )
                select * from came inner join wanted using (batch_id, file_name, row_number)
                """,
                params={
                    "numbers": list(staged.numbers.values()),
                    "batches": [names[path][0] for path in staged.numbers],
                    "names": [names[path][1] for path in staged.numbers],
                },
            ).to_arrow_table()
            reader.unregister("wanted")
            reader.execute(f"drop table {staged.table}")
        self._connection.register("landing_came", came)
        self._execute(f"""
            update {held} as held set raw = came.raw from landing_came as came
            where held.raw is null and not held.is_duplicate and held.batch_id = came.batch_id
                and held.file_name = came.file_name and held.row_number = came.row_number
        """)
        self._connection.unregister("landing_came")
        # A file that has gone or changed can no longer say how the row came: what was read from it stands in.
        values = ", ".join(f"{quote(column)}, {name(column)}" for column in source.stored)
        self._execute(f"update {held} set raw = cast(json_object({values}) as VARCHAR) where {lacking}")

    def _condition(self, source: Source, lacking: str) -> str:
        """Return SQL that holds for few rows beside those that are wanted, so that not every row of a file is kept."""
        column = name(source.key[0])
        values = self._execute(
            f"select distinct {column}::VARCHAR from meta.held_{source.name} where {lacking} limit {_WANTED + 1}"
        ).fetchall()
        return f"{column}::VARCHAR in ({', '.join(quote(value) for (value,) in values)})" if len(values) <= _WANTED else "true"

    def _faithful(self, batch_ids: Sequence[str]) -> list[str]:
        changed = {
            batch_id for (batch_id,) in self._execute("select batch_id from meta.batches where status = 'changed'").fetchall()
        }
        return [batch_id for batch_id in batch_ids if batch_id in self._found and batch_id not in changed]

    def _count(self) -> None:
        """Add what the sources noted to the counts of batches and of their months."""
        for source in self._sources:
            if source.name in self._staged:
                self._execute(f"""
                    update meta.batches as batches set rows_in_file = staged.rows
                    from (
                        select batch_id, sum(rows) as rows from landing_files_{source.name} group by batch_id
                    ) as staged
                    where batches.batch_id = staged.batch_id
                """)
        sums = ", ".join(f"sum({count}) as {count}" for count in DELTA)
        self._execute(f"""
            update meta.batches as batches set
                rows_loaded = batches.rows_loaded + delta.loaded,
                rows_quarantined = batches.rows_quarantined + delta.quarantined,
                exact_duplicates = batches.exact_duplicates + delta.duplicates,
                corrections = batches.corrections + delta.corrections
            from (select batch_id, {sums} from landing_delta group by batch_id) as delta
            where batches.batch_id = delta.batch_id
        """)
        counts = ("loaded", "quarantined", "duplicates", "replaced")
        self._execute(f"""
            create or replace temp table landing_months as
            select batch_id, month, {", ".join(f"sum({count}) as {count}" for count in counts)}
            from (
                select batch_id, month, {", ".join(counts)} from landing_delta where month is not null
                union all
                select batch_id, month, {", ".join(counts)} from meta.batch_months
                where batch_id in (select batch_id from landing_delta where month is not null)
            )
            group by all
        """)
        self._execute("delete from meta.batch_months where batch_id in (select batch_id from landing_months)")
        self._execute(f"insert into meta.batch_months from landing_months where {' + '.join(counts)} > 0")

    def _summarize(self, news: Sequence[_New]) -> None:
        report = self._report
        if news:
            rows = self._execute(
                "select sum(rows_in_file), sum(rows_quarantined) from meta.batches where list_contains($ids, batch_id)",
                ids=[new.batch.batch_id for new in news],
            ).fetchall()
            report.rows, report.quarantined = (int(value or 0) for value in rows[0])
        changed = self._execute(
            """
            select batches.batch_id, digest, found_digest, list(month order by month) filter (where month is not null)
            from meta.batches as batches left join meta.batch_months using (batch_id)
            where status = 'changed' and list_contains($streams, stream)
            group by all order by all
            """,
            streams=sorted({source.stream for source in self._sources}),
        ).fetchall()
        report.changed = [Violation(batch_id, was, found, tuple(months or ())) for batch_id, was, found, months in changed]


def admit(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, month: date) -> bool:
    """Let rows that were set aside for a month count from now on; return whether there were any."""
    kept = [source for source in sources if source.is_kept_in_files]
    if not kept:
        return False
    _prepare(connection)
    store = events.EventStore(connection, kept[0].stream, kept, settings, built_by(sources, settings))
    with transaction(connection):
        return store.admit(month)


def violations(connection: duckdb.DuckDBPyConnection, landing: Path, sources: Sequence[Source]) -> list[Violation]:
    """Compute the digests of all recorded batches again and return those that differ; a batch that is gone has none."""
    found = {batch.batch_id: batch for batch in scan(landing, sources).batches}
    wrong = []
    for batch_id, recorded in _known(connection, sources).items():
        digest = _digest(found[batch_id]) if batch_id in found else "nothing"
        if digest != recorded.digest:
            months = connection.execute(
                "select month from meta.batch_months where batch_id = ? order by all", [batch_id]
            ).fetchall()
            wrong.append(Violation(batch_id, recorded.digest, digest, tuple(month for (month,) in months)))
    return wrong
