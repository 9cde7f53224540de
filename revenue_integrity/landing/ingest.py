"""From the landing zone to the raw tables: what is new is read, judged and stored, in one transaction.

Belongs here: the order of work, and the counts of batches. Does not belong here: reading files (``reading``), what makes a row
bad (each stream's ``sources``), one source's rows (``merge``, ``eventstore``), the record of batches (``batches``), slices for
fingerprints (``slices``).

The store is level, not edge: after any sequence of calls it equals what one call over the same batches would have made. Three
tables of a source hold every data row exactly once: ``raw.<source>`` what is loaded, ``meta.held_<source>`` exact duplicates and
quarantined rows. An ingestion

1. judges the new rows on their own while reading them (parse, domain),
2. takes back what may have changed: quarantined rows whose look-up changed, loaded rows that their changed look-up now refuses,
3. judges both by their references,
4. takes back every stored row of a key that comes up, and resolves the versions of these keys alone,
5. stores all of it, and adds and subtracts the counts of what was put in and taken back.

So a batch costs in proportion to itself, beside scans of key columns. A batch that is withdrawn is taken out the same way; one
whose rows stay in files costs building the store again without it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb

from revenue_integrity.landing import batches, corrections, slices, tables, withdrawals
from revenue_integrity.landing.batches import Known, New
from revenue_integrity.landing.eventstore import tables as event_tables
from revenue_integrity.landing.eventstore.incoming import Incoming
from revenue_integrity.landing.eventstore.store import EventStore
from revenue_integrity.landing.merge import DELTA, Merge, create_delta, remake_lookup
from revenue_integrity.landing.reading.limits import Limits
from revenue_integrity.landing.reading.staging import Stager
from revenue_integrity.landing.report import IngestReport
from revenue_integrity.landing.restoring import restore_raw
from revenue_integrity.landing.values import name
from revenue_integrity.landing.zone import FoundBatch, counts_by, scan
from revenue_integrity.model.source import Source, under
from revenue_integrity.model.withdrawal import NAME as WITHDRAWALS
from revenue_integrity.model.withdrawal import arriving
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.database import transaction


def ingest(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    sources: Sequence[Source],
    settings: Settings,
    as_of: datetime | None = None,
) -> IngestReport:
    """Bring the store up to date with the landing zone: idempotent, incremental, in one transaction.

    ``sources`` are all declared sources of their streams, each behind those that its look-ups are made from. With ``as_of``
    only batches that had arrived by then are read; such a world needs a store of its own. Without, those that are ahead of the
    present are not.

    Raises:
        WarehouseError: the store holds batches that arrived after ``as_of``.
        LandingError: the store must be built again, and a batch of it has changed or is gone.
        OSError: the landing zone cannot be read.
    """
    sources = under(arriving(sources), settings)
    _check_order(sources)
    _prepare(connection, sources)
    try:
        return _ingest(connection, landing, sources, settings, as_of, anew=False)
    except _BuildAgainError:
        return _ingest(connection, landing, sources, settings, as_of, anew=True)


class _BuildAgainError(Exception):
    """A batch was withdrawn whose rows stay in files: the store is built again without it."""


def _ingest(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    sources: Sequence[Source],
    settings: Settings,
    as_of: datetime | None,
    *,
    anew: bool,
) -> IngestReport:
    found = scan(landing, sources)
    known = batches.known_batches(connection, sources)
    limit = counts_by(as_of)
    # A clock that is set back takes nothing back: what had come when it was read has come.
    came = {batch_id for batch_id, each in known.items() if as_of is None and not each.is_early}
    counting = [batch for batch in found.batches if batch.arrival <= limit or batch.batch_id in came]
    # What was read before arrivals were compared with the present may lie ahead of it.
    waiting = {batch.batch_id for batch in found.batches} - {batch.batch_id for batch in counting}
    is_ahead = as_of is None and not waiting.isdisjoint(known)
    rebuild = anew or is_ahead or tables.must_rebuild(connection, sources, settings)
    batches.refuse_later(connection, sources, as_of)
    if rebuild:
        batches.refuse_unfaithful(found, known)
    report = IngestReport(ignored=list(found.ignored), rebuilt=rebuild and bool(known))
    present = {batch.batch_id for batch in found.batches}
    report.missing = [batch_id for batch_id in known if batch_id not in present]
    looks = {} if rebuild else batches.look_again(counting, known)
    news = [batches.read_new(batch, Limits.of(settings)) for batch in counting if rebuild or batch.batch_id not in known]
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


def _prepare(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = true")
    connection.execute("create schema if not exists raw; create schema if not exists meta")
    batches.prepare(connection)
    tables.prepare(connection)
    slices.prepare(connection)
    event_tables.prepare(connection, sources)


class _Work:
    """One ingestion under way: the connection, what is staged, and the temporary tables between its steps."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        landing: Path,
        sources: Sequence[Source],
        settings: Settings,
        report: IngestReport,
        known: Mapping[str, Known],
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
        self.events = EventStore(connection, sources, settings, tables.built_by(sources, settings))

    # Before the transaction

    def stage(self, news: Sequence[New]) -> None:
        """Read the new batches of each source into its staging table. A batch with a file that cannot be read is marked."""
        for source in self._sources:
            mine = [new for new in news if new.batch.batch_id.startswith(source.prefix)]
            if not mine:
                continue
            for new in mine:
                new.error = new.batch.problem or new.error
            if source.is_kept_in_files:
                self._keep_files(source, mine)
                continue
            arrivals = {file.path: new.batch.arrival for new in mine for file in new.facts}
            staged = Stager(self._connection, source, self._settings.currency, arrivals=arrivals).stage(
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

    def _keep_files(self, source: Source, news: Sequence[New]) -> None:
        incoming = [Incoming(new.batch.batch_id, new.batch.arrival, new.facts, new.error) for new in news]
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

    def apply(self, news: Sequence[New], looks: Mapping[str, str], rebuild: bool) -> None:
        """Store everything."""
        if rebuild:
            self._build_again()
        create_delta(self._connection)
        batches.record_looks(self._connection, looks, self._known, self._found)
        batches.record_new(self._connection, news, self._known, self._report)
        self._count_rows_in_files()
        changed: set[str] = set()
        # Whether a batch is known follows from the record alone.
        remade: set[str] = {
            lookup.name
            for kept, lookup in tables.lookups_of(self._sources).items()
            if not lookup.made_from and remake_lookup(self._connection, kept, lookup)
        }
        settled: set[str] = set()
        gone: set[str] = set()
        for source in self._sources:
            if source.is_kept_in_files:
                continue
            staged = source.name in self._staged
            out = sorted(batch_id for batch_id in gone if batch_id.startswith(source.prefix))
            merge = Merge(self._connection, source, staged=staged, changed_lookups=remade, withdrawn=out)
            merged = merge.run()
            if source.name == WITHDRAWALS:
                gone |= self._withdraw(source, {new.batch.batch_id for new in news})
            self._report.healed += merged.healed
            self._report.refused += merged.refused
            settled.add(source.name)
            if merged.changed:
                changed.add(source.name)
                self._report.touched[source.name] = set(merged.months)
            for kept, lookup in tables.lookups_of(self._sources).items():
                complete = source.name in lookup.made_from and settled.issuperset(lookup.made_from)
                if complete and changed & set(lookup.made_from) and remake_lookup(self._connection, kept, lookup):
                    remade.add(lookup.name)
        self._report.touched |= self.events.apply()
        restore_raw(self._connection, self._sources, self._settings.currency, self._found)
        self._count()
        slices.refresh(
            self._connection, self._sources, self._settings.months, {each: self._report.touched[each] for each in sorted(changed)}
        )
        self._summarize(news)

    def _build_again(self) -> None:
        self.events.forget()
        tables.drop(self._connection, self._sources)
        for source in self._sources:
            batches.forget(self._connection, source)
            slices.forget(self._connection, source)
        tables.create(self._connection, self._sources, self._settings)
        self.events.create()
        corrections.create_views(self._connection, self._sources)

    def _withdraw(self, source: Source, news: Collection[str]) -> set[str]:
        """Put on record what is withdrawn; leave it out where it is read now, and return what must be taken out of the store."""
        fresh = [
            batch_id for batch_id in withdrawals.withdrawn(self._connection, source) if batches.counts(self._connection, batch_id)
        ]
        if not fresh:
            return set()
        stored = {batch_id for batch_id in fresh if batch_id not in news}
        kept_in_files = tuple(each.prefix for each in self._sources if each.is_kept_in_files)
        if any(batch_id.startswith(kept_in_files) for batch_id in stored):
            raise _BuildAgainError
        withdrawals.record(self._connection, fresh)
        # Those of other batches are counted when what became of them is known.
        self._record_rows_in_files({each: rows for each, rows in self.events.rows_in_files().items() if each in fresh})
        self._report.withdrawn += fresh
        self.events.leave_out(fresh)
        for each in self._sources:
            if each.name in self._staged and each.stream == source.stream:
                self._execute(f"delete from landing_files_{each.name} where list_contains($ids, batch_id)", ids=fresh)
        return stored

    def _count_rows_in_files(self) -> None:
        rows: dict[str, int] = {}
        for source in self._sources:
            if source.name in self._staged:
                counted = f"select batch_id, sum(rows)::BIGINT from landing_files_{source.name} group by batch_id"
                rows |= dict(self._execute(counted).fetchall())
        self._record_rows_in_files(rows)

    def _record_rows_in_files(self, rows: Mapping[str, int]) -> None:
        self._execute(
            """
            update meta.batches as batches set rows_in_file = counted.rows
            from (select unnest($ids::VARCHAR[]) as batch_id, unnest($rows::BIGINT[]) as rows) as counted
            where batches.batch_id = counted.batch_id
            """,
            ids=list(rows),
            rows=list(rows.values()),
        )

    def _count(self) -> None:
        """Add what the sources noted to the counts of batches and of their months."""
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

    def _summarize(self, news: Sequence[New]) -> None:
        report = self._report
        if news:
            rows = self._execute(
                "select sum(rows_in_file), sum(rows_quarantined) from meta.batches where list_contains($ids, batch_id)",
                ids=[new.batch.batch_id for new in news],
            ).fetchall()
            report.rows, report.quarantined = (int(value or 0) for value in rows[0])
        report.changed = batches.changed_batches(self._connection, {source.stream for source in self._sources})


def admit(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, month: date) -> bool:
    """Let rows that were set aside for a month count from now on; return whether there were any."""
    if not any(source.is_kept_in_files for source in sources):
        return False
    sources = arriving(sources)
    _prepare(connection, sources)
    store = EventStore(connection, sources, settings, tables.built_by(sources, settings))
    with transaction(connection):
        return store.admit(month)
