"""The event store: sources whose rows come by the million stay in Parquet files, and only what is few enters tables.

Belongs here: keeping their files, what they hold per day, versions of events, which deliveries of a scope stand, what is set
aside, and the slices that follow. Does not belong here: reading and judging text (``reading``, ``values``), what is computed
from events (each stream), the index of a file's keys (``key_index``).

A landed Parquet file whose columns have the types of the contract is kept as it is, by a link; every other file is judged as
all sources are and written as Parquet once. In the warehouse stand

- ``meta.event_files``: one row per kept file, with the SQL that reads a cost's columns from it,
- ``meta.event_days``: rows and cost per file, day, tenant and scope, and whether they stand,
- ``meta.event_claims``: all versions, on any day, of events that have more than one row or a tombstone,
- ``meta.event_invoices``: cost per scope and invoice,
- ``meta.held_<source>``: bad rows, as for every source.

Like all of ingestion this is level, not edge: after any sequence of calls it holds what one call over the same batches would
have made, but for the numbers of files.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity.files import sync
from revenue_integrity.landing.eventstore import key_index, plain_text
from revenue_integrity.landing.reading.inspection import FileFacts, inspect
from revenue_integrity.landing.reading.layout import layout_of
from revenue_integrity.landing.reading.regular import csv_sql, csv_texts
from revenue_integrity.landing.reading.staging import Stager
from revenue_integrity.landing.values import SPACE, name, parsed, plainly, quote
from revenue_integrity.model.query import listed_days
from revenue_integrity.model.source import LINEAGE, RESERVED_IDS, Source, SourceColumn
from revenue_integrity.model.stage import ScannedFile
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.engine import scan_sql
from revenue_integrity.warehouse.storage import arrow_type

EVENT_COLUMNS = {
    "tenant_id": "varchar",
    "event_id": "varchar",
    "account_id": "varchar",
    "service_name": "varchar",
    "region": "varchar",
    "pricing_model": "varchar",
    "usage_date": "date",
    "cost": "decimal(38, 12)",
    "effective_cost": "decimal(38, 12)",
    "currency": "varchar",
    "ingested_at": "timestamp with time zone",
    "is_deleted": "boolean",
    "provider": "varchar",
    "billing_account_id": "varchar",
    "billing_period": "date",
    "charge_category": "varchar",
    "charge_class": "varchar",
    "invoice_id": "varchar",
    "resource_id": "varchar",
    "scope": "varchar",
}
"""Columns of a cost, whatever its source, and their types: what a source does not have is null."""

_CONTENT = ("account_id", "service_name", "region", "pricing_model", "usage_date", "cost", "ingested_at", "is_deleted")
"""What makes two versions of an event differ; all have the one currency."""

_VERSION_COLUMNS = ("tenant_id", "event_id", *_CONTENT)
"""Columns of an event that are kept of each of its versions."""

_MARKS = ("is_duplicate", "is_correction", "is_conflict", "is_moved")
"""What a version is among those of its event: the same as the one before it, another one than before, another one although both
were taken in at one instant, one of several days."""

_CLAIM_COLUMNS = ("file_no", "row_number", "batch_id", "arrival", "file_name", *_VERSION_COLUMNS, *_MARKS, "set_aside")

_DOUBTFUL = "is_doubtful"
"""Column of a file that was typed at once: whether a text of the row is not plainly the value that it was taken for."""

_LONG = 1_000_000
"""Rows from which a Parquet file is read on its own for some of them."""

_WORTH_TYPING = 64 << 20
"""Bytes from which a CSV file is typed at once: below it, parsing is quick whatever it takes."""

_COMPARED = 2_000_000
"""New versions of events that are compared at once: to put them in order takes several times the room that they take."""

_LOOKED_AT = 50_000
"""Identifiers that are looked at together: a megabyte of text, which the processor's cache holds."""

_DICTIONARY_BYTES = 100_000
"""Words of a column beyond which no dictionary of them is kept."""

_TABLES = """
    create table if not exists meta.event_files (
        source VARCHAR not null, file_no BIGINT not null, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null,
        file_name VARCHAR not null, path VARCHAR not null, projection VARCHAR not null, row_count BIGINT not null
    );
    create table if not exists meta.event_days (
        source VARCHAR not null, file_no BIGINT not null, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null,
        usage_date DATE not null, tenant_id VARCHAR not null, scope VARCHAR, row_count BIGINT not null,
        cost DECIMAL(38, 12) not null, effective_cost DECIMAL(38, 12), negative_rows BIGINT not null, is_live BOOLEAN not null,
        set_aside BOOLEAN not null
    );
    create table if not exists meta.event_claims (
        file_no BIGINT not null, row_number BIGINT not null, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null,
        file_name VARCHAR not null, {versions}, is_duplicate BOOLEAN not null, is_correction BOOLEAN not null,
        is_conflict BOOLEAN not null, is_moved BOOLEAN not null, set_aside BOOLEAN not null
    );
    create table if not exists meta.event_invoice_parts (
        source VARCHAR not null, file_no BIGINT not null, usage_date DATE not null, tenant_id VARCHAR not null, scope VARCHAR,
        provider VARCHAR, billing_period DATE, invoice_id VARCHAR, cost DECIMAL(38, 12) not null, row_count BIGINT not null
    );
    create table if not exists meta.event_admitted (stream VARCHAR not null, month DATE not null, batch_id VARCHAR not null);
"""

_VIEWS = """
    create or replace view meta.event_invoices as
    select p.provider, p.billing_period, p.invoice_id, sum(p.cost)::DECIMAL(38, 12) as cost, sum(p.row_count)::BIGINT as row_count
    from meta.event_invoice_parts as p
    inner join meta.event_days as d
        on p.file_no = d.file_no and p.usage_date = d.usage_date and p.tenant_id = d.tenant_id
        and p.scope is not distinct from d.scope
    where d.is_live and p.provider is not null
    group by all;
    -- With what of a version is compared as a whole: field after field, for no text of them holds the mark between.
    create or replace view meta.event_versions as select *, {content} as content from meta.event_claims
"""

_DATA_TABLES = ("event_files", "event_days", "event_invoice_parts")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of the store if they are not there, or bring those of an earlier release up to this one."""
    versions = ", ".join(f"{column} {EVENT_COLUMNS[column]}" for column in _VERSION_COLUMNS)
    connection.execute(_TABLES.format(versions=versions))
    named = "select column_name from duckdb_columns() where schema_name = 'meta' and table_name = 'event_claims'"
    found = {column for (column,) in connection.execute(named).fetchall()}
    # What was noted under other columns is noted anew: other rules of ingestion build the store again.
    for column in sorted(found - {*_CLAIM_COLUMNS}):
        connection.execute(f"alter table meta.event_claims drop column {column}")
    for column in sorted({*_CLAIM_COLUMNS} - found):
        connection.execute(f"alter table meta.event_claims add column {column} BOOLEAN default false")
    content = ", ".join(_as_text(column) for column in _CONTENT)
    connection.execute(_VIEWS.format(content=f"concat_ws(chr(31), {content})"))


def _as_text(column: str) -> str:
    """Return SQL for a column of a version as text; no text holds the mark that stands for null."""
    value = f"epoch_us({column})" if column == "ingested_at" else column
    return f"coalesce({value}::varchar, chr(30))"


def store_path(settings: Settings) -> Path:
    """Return where the kept files stand."""
    return settings.home / "events"


def kept_files(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[str]:
    """Return the files that the store of some sources rests on, relative to the home: rows, and indexes of events."""
    indexed = [source.name for source in sources if source.delivery == "append_events"]
    found = connection.execute(
        "select path, list_contains($indexed, source) from meta.event_files where list_contains($names, source) order by path",
        {"indexed": indexed, "names": [source.name for source in sources if source.is_kept_in_files]},
    ).fetchall()
    return [file for path, has_index in found for file in ([path, str(_keys_of(Path(path)))] if has_index else [path])]


def batches_set_aside(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> dict[str, list[date]]:
    """Return the batches all of whose rows of some month are set aside, with these months."""
    found = connection.execute(
        """
        select batch_id, list(month order by month)
        from (
            select batch_id, date_trunc('month', usage_date)::date as month
            from meta.event_days where list_contains($names, source) group by all having bool_and(set_aside)
        )
        group by batch_id order by batch_id
        """,
        {"names": [source.name for source in sources if source.is_kept_in_files]},
    ).fetchall()
    return dict(found)


def lost_files(files: Iterable[str], settings: Settings) -> list[str]:
    """Return those of some kept files that are gone."""
    return [file for file in files if not (settings.home / file).is_file()]


def facts_of(source: Source, settings: Settings) -> dict[str, str]:
    """Return SQL over the stored columns of a source for each column of a cost, as the settings have it."""
    return {column: _cast(column, sql) for column, sql in _facts(source, settings).items()}


def _cast(column: str, sql: str) -> str:
    return f"cast({sql} as {EVENT_COLUMNS[column]})"


def _facts(source: Source, settings: Settings) -> dict[str, str]:
    tenants = " ".join(
        f"when {_identifier(account)} then {_identifier(tenant)}"
        for account, tenant in sorted(settings.tenant_of_billing_account.items())
    )
    default = quote(_DEFAULT_TENANT)
    tenant = f"case billing_account_id {tenants} else {default} end" if tenants else default
    given = {column: sql.format(tenant=tenant, currency=settings.currency) for column, sql in source.facts.items()}
    return {column: given.get(column, "null") for column in EVENT_COLUMNS}


def _identifier(text: str) -> str:
    """Return SQL for a name in the settings as rows hold it: one tenant must not become two by how it is written."""
    return parsed(SourceColumn("name", "id", "A name."), quote(text))


_DEFAULT_TENANT = "DEFAULT"


@dataclass
class _Kept:
    """A file on its way into the store.

    Attributes:
        landed: SQL for its rows as they came, numbered from 0 as ``file_row_number``; empty where it is kept as it came.
        may_be_untidy: whether the id of any event may be bad or untidy; unknown until its index is made.
    """

    source: Source
    batch_id: str
    arrival: datetime
    facts: FileFacts
    path: Path
    projection: str
    rows: int = 0
    number: int = -1
    landed: str = ""
    may_be_untidy: bool | None = None

    def scanned(self) -> ScannedFile:
        return ScannedFile(self.number, self.path, self.projection)


@dataclass
class Incoming:
    """A new batch of a source that is kept in files: what the caller learns of it.

    Attributes:
        batch_id, arrival: the batch.
        facts: its files.
        error: why it is refused as a whole; empty if it is not.
        unknown: columns that are not modelled.
    """

    batch_id: str
    arrival: datetime
    facts: Sequence[FileFacts]
    error: str = ""
    unknown: set[str] = field(default_factory=set)


class EventStore:
    """One ingestion of the sources that are kept in files.

    ``stage`` reads the new files before the transaction; ``apply`` puts them on record inside it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        stream: str,
        sources: Sequence[Source],
        settings: Settings,
        generation: str,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._sources = {source.name: source for source in sources if source.is_kept_in_files}
        self._settings = settings
        # Files of a store that is built by other rules stand apart: until its transaction ends, the old ones are read.
        self._home = store_path(settings) / stream / generation[:12]
        self._kept: list[_Kept] = []

    def _execute(self, sql: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or None)

    def _rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        return self._execute(sql, **parameters).fetchall()

    # Before the transaction

    def stage(self, source: Source, batches: Sequence[Incoming]) -> None:
        """Keep the files of some new batches. A batch with a file that cannot be read is marked, and nothing of it kept."""
        self._execute(f"create or replace temp table landing_bad_{source.name} as {self._no_bad_rows(source)}")
        plain: list[_Kept] = []
        others: list[tuple[Incoming, FileFacts]] = []
        for batch in batches:
            problems = [file.problem for file in batch.facts if file.problem]
            batch.error = batch.error or "; ".join(problems)
            for file in () if batch.error else batch.facts:
                kept = self._plain(source, batch, file)
                if kept:
                    batch.unknown |= set(layout_of(source, file.header).unknown)
                    plain.append(kept)
                else:
                    others.append((batch, file))
        converted = self._judge_plain(source, plain)
        by_id = {batch.batch_id: batch for batch in batches}
        others += [(by_id[each.batch_id], each.facts) for each in converted]
        self._kept += [each for each in plain if each not in converted]
        if others:
            self._convert(source, others)
        refused = {batch.batch_id for batch in batches if batch.error}
        self._kept = [each for each in self._kept if each.batch_id not in refused]
        for batch_id in sorted(refused):
            self._execute(f"delete from landing_bad_{source.name} where batch_id = $batch_id", batch_id=batch_id)

    def _no_bad_rows(self, source: Source) -> str:
        values = ", ".join(f"cast(null as {source.sql_type(column)}) as {name(column)}" for column in source.values)
        return (
            f"select {values}, cast(null as VARCHAR) as batch_id, cast(null as TIMESTAMPTZ) as arrival,"
            " cast(null as VARCHAR) as file_name, cast(null as BIGINT) as row_number, cast(null as VARCHAR) as static_errors,"
            " cast(null as VARCHAR) as raw where false"
        )

    def _directory(self, source: Source, batch_id: str) -> Path:
        directory = self._home / source.name / batch_id.rsplit("/", 1)[1]
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def _plain(self, source: Source, batch: Incoming, file: FileFacts) -> _Kept | None:
        """Keep a file whose rows need no more than a look: Parquet with the contract's types, or much regular CSV."""
        if source.delivery != "append_events":
            return None
        if file.format == "parquet":
            projection = self._canonical_projection(source, file)
            return self._link(source, batch, file, projection) if projection else None
        if file.format == "csv" and file.length >= _WORTH_TYPING and not (file.irregular or file.compressed):
            return self._typed(source, batch, file)
        return None

    def _typed(self, source: Source, batch: Incoming, file: FileFacts) -> _Kept | None:
        """Write a large CSV file as Parquet with the contract's types at once; what is not plainly a value is marked.

        Text is parsed with all its forms much slower than a cast takes. A file that a cast does not do for is read that way.
        """
        layout = layout_of(source, file.header)
        event_id = next((column for column in source.columns if column.stored == source.facts["event_id"]), None)
        if layout.problem or event_id is None:
            return None
        present = {column: place for column, place in zip(source.columns, layout.positions, strict=True) if place is not None}
        target = self._directory(source, batch.batch_id) / f"{file.name}.parquet"
        unfinished = target.with_name(f".{target.name}")
        try:
            hashes, may_be_untidy = self._write_typed(file, present, event_id, unfinished)
        except (duckdb.Error, pa.ArrowException):
            # Not as regular as it looked: it is read record by record, which tells what is wrong with which.
            unfinished.unlink(missing_ok=True)
            return None
        sync(unfinished)
        unfinished.replace(target)
        written = FileFacts(target, 0, 0, "", "parquet", header=tuple(column.name for column in present))
        kept = _Kept(source, batch.batch_id, batch.arrival, file, target, self._canonical_projection(source, written))
        kept.rows, kept.may_be_untidy = sum(map(len, hashes)), may_be_untidy
        _save_index(kept, hashes)
        columns = ", ".join(f"c{place} as {name(column)}" for place, column in enumerate(layout.header))
        text = csv_sql([file], [f"c{place}" for place in range(len(layout.header))])
        kept.landed = f"select {columns}, row_number() over () - 1 as file_row_number from {text}"
        return kept

    def _write_typed(
        self, file: FileFacts, present: Mapping[SourceColumn, int], event_id: SourceColumn, target: Path
    ) -> tuple[list[key_index.Entries], bool]:
        """Write rows of text with the types of their columns, and whether any text of a row is in doubt.

        Arrow casts what is plain and writes; where a text may be in doubt, the engine casts, and says of which row. (The engine's
        own writer takes twice as long for words that come again and again.)

        Args:
            file: the CSV file.
            present: the columns that it has, and where.
            event_id: which of them identifies an event.
            target: what is written.

        Returns:
            The hashes of the events' ids, part by part, and whether any id may be bad or untidy.
        """
        schema = pa.schema([*((each.name, arrow_type(each.sql_type)) for each in present), (_DOUBTFUL, pa.bool_())])
        options: dict[str, Any] = {
            "compression": "lz4",
            # Nearly every event has another id, instant and cost: no dictionary of them is tried.
            "use_dictionary": [column.name for column in present if column.sql_type == "VARCHAR" and column != event_id],
            "dictionary_pagesize_limit": _DICTIONARY_BYTES,
            # Nobody asks for the first and the last of texts; for nulls only where a default would replace them.
            "write_statistics": [column.name for column in present if column.default or column.sql_type != "VARCHAR"],
        }
        typed = [f"try_cast({name(each.name)} as {each.sql_type})" for each in present]
        doubts = " or ".join(f"({doubt})" for each in present if (doubt := plainly(each, name(each.name)))) or "false"
        hashes: list[key_index.Entries] = []
        may_be_untidy = False
        # A cursor of its own, for the engine may be reading the file, a batch ahead.
        with pq.ParquetWriter(target, schema, **options) as writer, self._connection.cursor() as judge:
            for columns in csv_texts(self._connection, file, list(present.values())):
                texts = dict(zip(present, columns, strict=True))
                judge.register("landing_texts", pa.table({column.name: text for column, text in texts.items()}))
                values = plain_text.plain_values(texts)
                if values is None:
                    found = judge.sql(f"select {', '.join(typed)}, {doubts} from landing_texts").to_arrow_table()
                    values = [each.combine_chunks() for each in found.columns]
                else:
                    values.append(pa.array(np.zeros(len(values[0]), np.bool_)))
                writer.write_batch(pa.record_batch(values, schema=schema))
                hashes.append(key_index.hashes_of(texts[event_id]))
                may_be_untidy = may_be_untidy or plain_text.may_be_untidy(texts[event_id])
        return hashes, may_be_untidy

    def _canonical_projection(self, source: Source, file: FileFacts) -> str:
        """Return SQL for a cost's columns over a Parquet file that needs no conversion, or an empty text.

        Its columns have the contract's names and types, and no column that the contract wants is missing.
        """
        layout = layout_of(source, file.header)
        found = {row[0]: str(row[1]) for row in self._rows(f"describe select * from {self._parquet(file.path)}")}
        values: dict[str, str] = {}
        if layout.problem:
            return ""
        full = _columns_without_null(file.path)
        for column, place in zip(source.columns, layout.positions, strict=True):
            if place is None:
                values[column.stored] = "null" if column.default is None else quote(column.default)
                continue
            as_named = list(found)[place]
            if not _is_canonical(column, found[as_named]):
                return ""
            value = name(as_named)
            # A function over a column costs the engine its dictionary, so none stands where it would do nothing.
            defaulted = column.default is not None and as_named not in full
            values[column.stored] = f"coalesce({value}, {quote(column.default or '')})" if defaulted else value
        facts = _facts(source, self._settings)
        return ", ".join(f"{_cast(column, _over(sql, values))} as {column}" for column, sql in facts.items())

    @staticmethod
    def _parquet(path: Path) -> str:
        return f"read_parquet({quote(str(path))})"

    def _link(self, source: Source, batch: Incoming, file: FileFacts, projection: str) -> _Kept:
        target = self._directory(source, batch.batch_id) / file.name
        target.unlink(missing_ok=True)
        try:
            os.link(file.path, target)
        except OSError:
            # Another file system: a copy costs space, and nothing else changes.
            shutil.copyfile(file.path, target)
            sync(target)
        rows = pq.read_metadata(target).num_rows
        return _Kept(source, batch.batch_id, batch.arrival, file, target, projection, rows)

    def _judge_plain(self, source: Source, files: Sequence[_Kept]) -> list[_Kept]:
        """Judge files that are kept as they are; return those that must be converted after all, for a row needs tidying."""
        if not files:
            return []
        predicates = _suspicious(source, self._settings.currency)
        of_key = predicates.pop("event_id")
        alike: dict[str, list[_Kept]] = {}
        for file in files:
            alike.setdefault(file.projection, []).append(file)
        converted = []
        for group in alike.values():
            # Small files are looked at together: a call costs more than their rows.
            suspicious = [file for file in group if self._index(file)]
            if self._any_suspicious(group, predicates):
                suspicious = self._all_suspicious(group, [of_key, *predicates.values()])
            suspicious += [file for file in group if file not in suspicious and self._has_doubts(file)]
            converted += [file for file in suspicious if not self._put_aside_bad(source, file)]
        for file in converted:
            file.path.unlink()
        return converted

    def _index(self, file: _Kept) -> bool:
        """Keep the index of a file's events; return whether the id of any event may be bad or untidy.

        Both need to see each of them, so it is one look.
        """
        if file.may_be_untidy is not None:
            return file.may_be_untidy
        rows = f"select {file.projection} from {self._parquet(file.path)}"
        # In the order of the file: `preserve_insertion_order` is on.
        reader = self._connection.sql(f"select event_id from ({rows})").to_arrow_reader(_LOOKED_AT)
        entries = np.empty(file.rows, np.uint64)
        found, done = False, 0
        for batch in reader:
            (ids,) = batch.columns
            end = done + len(batch)
            entries[done:end] = key_index.entries_of(key_index.hashes_of(ids), np.arange(done, end), file.rows)
            found = found or plain_text.may_be_untidy(ids)
            done = end
        key_index.save(entries, _keys_of(file.path))
        return found

    def _any_suspicious(self, files: Sequence[_Kept], predicates: Mapping[str, str]) -> bool:
        """Return whether any row of files of one projection may be bad or untidy, looking at each value of a column once."""
        rows = self._scan(files)
        texts = {each.stored for each in files[0].source.columns if each.kind in ("id", "text")}
        for column in sorted(texts & {*predicates}):
            # In a table, or the engine would judge every row instead of every value.
            self._execute(f"create or replace temp table landing_kinds as select distinct {column} from ({rows})")
            if self._rows(f"select 1 from landing_kinds where {predicates[column]} limit 1"):
                return True
        others = [predicate for column, predicate in predicates.items() if column not in texts]
        others.append(f"event_id in ({', '.join(map(quote, RESERVED_IDS))})")
        # Each on its own, for a file's statistics tell of most of them that no value can be meant.
        return any(self._rows(f"select 1 from ({rows}) where {predicate} limit 1") for predicate in others)

    def _has_doubts(self, file: _Kept) -> bool:
        """Return whether a text of a file that was typed at once is not plainly the value that it was taken for."""
        return bool(file.landed and self._rows(f"select 1 from {self._parquet(file.path)} where {_DOUBTFUL} limit 1"))

    def _all_suspicious(self, files: Sequence[_Kept], predicates: Sequence[str]) -> list[_Kept]:
        """Return the files of one projection that hold a row that may be bad or untidy."""
        rows = scan_sql(tuple(ScannedFile(place, file.path, file.projection) for place, file in enumerate(files)), EVENT_COLUMNS)
        found = self._rows(f"select distinct file_no from ({rows}) where {' or '.join(predicates)} order by all")
        return [files[place] for (place,) in found]

    def _put_aside_bad(self, source: Source, file: _Kept) -> bool:
        """Put bad rows of a file aside; return whether all others are as the contract wants them."""
        predicates = [*_suspicious(source, self._settings.currency).values(), *([_DOUBTFUL] if file.landed else [])]
        rows = f"read_parquet({quote(str(file.path))}, file_row_number = true)"
        doubtful = f", {_DOUBTFUL}" if file.landed else ""
        try:
            self._execute(f"""
                create or replace temp table landing_suspicious as
                select landed.*, landed.file_row_number + 1 as landed_row
                from ({file.landed or f"select * from {rows}"}) as landed
                semi join (
                    select file_row_number from (select {file.projection}, file_row_number{doubtful} from {rows})
                    where {" or ".join(predicates)}
                ) as suspicious using (file_row_number)
            """)
        except duckdb.InvalidInputException:
            if not file.landed:
                raise
            # Arrow takes lines that the engine refuses, those of megabytes: such a file is read record by record.
            return False
        with tempfile.TemporaryDirectory(dir=self._home) as scratch:
            subset = Path(scratch) / "rows.parquet"
            self._execute(
                f"copy (select * exclude (landed_row, file_row_number) from landing_suspicious order by landed_row)"
                f" to {quote(str(subset))} (format parquet)"
            )
            staged = Stager(self._connection, source, self._settings.currency).stage([inspect(subset)])
            judged = f"select *, row_number() over (order by rowid) as place from {staged.table}"
            self._execute(f"""
                create or replace temp table landing_judged_bad as
                select j.* exclude (f, place), s.landed_row
                from ({judged}) as j
                inner join (select landed_row, row_number() over (order by landed_row) as place from landing_suspicious) as s
                    on j.place = s.place
            """)
        ((untidy,),) = self._rows("select count(*) from landing_judged_bad where static_errors is null")
        if untidy:
            return False
        self._insert_bad(source, file, "select *, landed_row as row_number from landing_judged_bad")
        return True

    def _insert_bad(self, source: Source, file: _Kept, rows: str) -> None:
        values = ", ".join(map(name, source.values))
        self._execute(
            f"""
            insert into landing_bad_{source.name}
            select {values}, $batch_id, $arrival, $file_name, row_number, static_errors, raw
            from ({rows}) where static_errors is not null
            """,
            batch_id=file.batch_id,
            arrival=file.arrival,
            file_name=file.facts.name,
        )

    def _convert(self, source: Source, files: Sequence[tuple[Incoming, FileFacts]]) -> None:
        """Judge files as all sources are judged, and write each as Parquet, bad rows in their places."""
        staged = Stager(self._connection, source, self._settings.currency).stage(file for _, file in files)
        facts = facts_of(source, self._settings)
        columns = ", ".join(f"{sql} as {column}" for column, sql in facts.items())
        written: list[tuple[_Kept, int]] = []
        for batch, file in files:
            batch.unknown |= set(staged.unknown.get(file.path, ()))
            if file.path in staged.problems:
                batch.error = "; ".join(filter(None, (batch.error, staged.problems[file.path])))
        for batch, file in files:
            if batch.error:
                continue
            target = self._directory(source, batch.batch_id) / f"{file.name}.parquet"
            number = staged.numbers[file.path]
            rows = f"select {columns} from {staged.table} where f = {number} order by rowid"
            unfinished = target.with_name(f".{target.name}")
            self._execute(f"copy ({rows}) to {quote(str(unfinished))} (format parquet, compression zstd)")
            sync(unfinished)
            unfinished.replace(target)
            kept = _Kept(source, batch.batch_id, batch.arrival, file, target, ", ".join(EVENT_COLUMNS))
            kept.rows = pq.read_metadata(target).num_rows
            if source.delivery == "append_events":
                self._index(kept)
            written.append((kept, number))
        bad = {f for (f,) in self._rows(f"select distinct f from {staged.table} where static_errors is not null")}
        numbered = f"select *, rowid - min(rowid) over (partition by f) + 1 as row_number from {staged.table}"
        for kept, number in written:
            if number in bad:
                self._insert_bad(source, kept, f"select * from ({numbered}) where f = {number}")
        self._kept += [kept for kept, _ in written]
        self._execute(f"drop table {staged.table}")

    # In the transaction

    def forget(self) -> None:
        """Drop everything on record of the stream's files; what people admitted stays."""
        listed = self._names()
        for table in _DATA_TABLES:
            self._execute(f"delete from meta.{table} where source in ({listed})")
        self._execute("delete from meta.event_claims where file_no not in (select file_no from meta.event_files)")
        self._execute(
            "delete from meta.slices where stream = $stream and (contains(source, '/') or source = 'invoices')",
            stream=self._stream,
        )

    def _names(self) -> str:
        return ", ".join(map(quote, sorted(self._sources))) or "''"

    def apply(self) -> dict[str, set[date]]:
        """Put what was staged on record; return the months that are touched, by source."""
        self._execute("create or replace temp table landing_days (usage_date DATE)")
        self._execute("create or replace temp table landing_versions (file_no BIGINT)")
        self._store_bad()
        if self._kept:
            self._number()
            self._note_days()
            self._note_invoices()
            self._note_claims()
        self._count_batches()
        self._settle()
        return self._refresh_slices()

    def admit(self, month: date) -> bool:
        """Let what was set aside for a month count, in the caller's transaction; return whether there was anything."""
        self._execute("create or replace temp table landing_days (usage_date DATE)")
        aside = f"""
            select batch_id from meta.event_days
            where set_aside and source in ({self._names()}) and date_trunc('month', usage_date) = $month
            union
            select c.batch_id
            from meta.event_claims as c
            inner join meta.event_claims as e on c.tenant_id = e.tenant_id and c.event_id = e.event_id
            where c.set_aside and date_trunc('month', e.usage_date) = $month
            union
            select later.batch_id
            from (
                select distinct batch_id, arrival, scope from meta.event_days where source in ({self._overwriting()})
            ) as later
            inner join meta.event_days as earlier on later.scope = earlier.scope and earlier.arrival < later.arrival
            where earlier.is_live and date_trunc('month', earlier.usage_date) = $month
        """
        new = f"({aside}) anti join (select batch_id from meta.event_admitted where month = $month) using (batch_id)"
        ((found,),) = self._rows(f"select count(*) from {new}", month=month)
        if found:
            self._execute(
                f"insert into meta.event_admitted select {quote(self._stream)}, $month, batch_id from {new}", month=month
            )
            self._settle()
            self._refresh_slices()
        return bool(found)

    def clean(self) -> None:
        """Remove kept files that nothing refers to: of another generation, or of an ingestion that did not end."""
        referred = {path for (path,) in self._rows("select path from meta.event_files")}
        place = store_path(self._settings) / self._stream
        for file in sorted(place.rglob("*")) if place.is_dir() else []:
            kept = file.with_suffix("") if file.suffix == ".keys" else file
            if file.is_file() and str(kept.relative_to(self._settings.home)) not in referred:
                file.unlink()

    def _store_bad(self) -> None:
        for source in self._sources.values():
            staged = f"landing_bad_{source.name}"
            if not self._rows(f"select 1 from duckdb_tables() where temporary and table_name = {quote(staged)}"):
                continue
            columns = f"{', '.join(map(name, source.values))}, {', '.join(LINEAGE)}"
            self._execute(f"""
                insert into meta.held_{source.name} ({columns}, is_duplicate, static_errors, reference_errors, raw)
                select {columns}, false, static_errors, null, raw from {staged}
            """)

    def _number(self) -> None:
        self._kept.sort(key=lambda file: (file.batch_id, file.facts.name))
        ((last,),) = self._rows("select coalesce(max(file_no), 0) from meta.event_files")
        for number, file in enumerate(self._kept, start=last + 1):
            file.number = number
        rows = [
            {
                "source": file.source.name,
                "file_no": file.number,
                "batch_id": file.batch_id,
                "arrival": file.arrival,
                "file_name": file.facts.name,
                "path": str(file.path.relative_to(self._settings.home)),
                "projection": file.projection,
                "row_count": file.rows,
            }
            for file in self._kept
        ]
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        self._execute(f"insert into meta.event_files select {', '.join(f'unnest(${key})' for key in columns)}", **columns)
        self._execute("create or replace temp view landing_bad_rows as " + self._bad_rows())

    def _bad_rows(self) -> str:
        held = [f"select batch_id, file_name, row_number from meta.held_{source}" for source in sorted(self._sources)]
        return f"""
            select f.file_no, h.row_number
            from ({" union all ".join(held)}) as h inner join meta.event_files as f using (batch_id, file_name)
        """

    def _scan(self, files: Sequence[_Kept]) -> str:
        return scan_sql(tuple(file.scanned() for file in files), EVENT_COLUMNS)

    def _note_days(self) -> None:
        bad = (
            "anti join landing_bad_rows using (file_no, row_number)"
            if self._rows("select 1 from landing_bad_rows limit 1")
            else ""
        )
        for source in sorted({file.source.name for file in self._kept}):
            mine = [file for file in self._kept if file.source.name == source]
            # What a source does not have is null in every row, and costs as much to group and to sum as what it has.
            has = mine[0].source.facts
            scope = "scope" if "scope" in has else "cast(null as varchar) as scope"
            effective = "sum(effective_cost)" if "effective_cost" in has else "null"
            self._execute(f"""
                insert into meta.event_days
                select
                    {quote(source)}, d.file_no, f.batch_id, f.arrival, d.usage_date, d.tenant_id, {scope}, d.row_count, d.cost,
                    d.effective_cost, d.negative_rows, true, false
                from (
                    select
                        file_no, usage_date, tenant_id, {"scope," if "scope" in has else ""} count(*) as row_count,
                        sum(cost) as cost, {effective} as effective_cost, count(*) filter (cost < 0) as negative_rows
                    from ({self._scan(mine)}) {bad}
                    group by all
                ) as d
                inner join meta.event_files as f on d.file_no = f.file_no
            """)
        self._execute(f"""
            insert into landing_days
            select distinct usage_date from meta.event_days
            where file_no >= {self._kept[0].number} and source in ({self._names()})
        """)

    def _note_invoices(self) -> None:
        exports = [file for file in self._kept if file.source.delivery != "append_events"]
        if exports:
            self._execute(f"""
                insert into meta.event_invoice_parts
                select
                    f.source, e.file_no, e.usage_date, e.tenant_id, e.scope, e.provider, e.billing_period, e.invoice_id,
                    sum(e.cost), count(*)
                from ({self._scan(exports)}) as e
                anti join landing_bad_rows as b on e.file_no = b.file_no and e.row_number = b.row_number
                inner join meta.event_files as f on e.file_no = f.file_no
                group by all
            """)

    # Versions of events

    def _note_claims(self) -> None:
        """Note all versions of the events that have more than one row by now, and of those that have a tombstone."""
        news = [file for file in self._kept if file.source.delivery == "append_events" and file.rows]
        if news and self._find_claims(news):
            self._compare()
            self._insert_claims()
            self._mark_again()

    def _find_claims(self, news: Sequence[_Kept]) -> bool:
        """Read the rows that are to be noted, but bad rows and what is on record; return whether there are any."""
        fresh = {file.number: key_index.Index(_keys_of(file.path), file.rows) for file in news}
        before = self._events_of_before(set(fresh))
        others = [file for file, _ in before]
        rows = key_index.contested(fresh, {file.file_no: key_index.Index(_keys_of(file.path), count) for file, count in before})
        wanted = pa.table(
            {
                "file_no": np.repeat(np.array(list(rows), np.int64), [len(each) for each in rows.values()]),
                "row_number": np.concatenate([np.empty(0, np.int64), *rows.values()]) + 1,
            }
        )
        self._connection.register("landing_found", wanted)
        self._execute(f"""
            create or replace temp table landing_wanted as
            select file_no, row_number from landing_found
            union all
            select file_no, row_number from ({self._scan(news)}) where is_deleted
        """)
        self._connection.unregister("landing_found")
        concerned = {number for (number,) in self._rows("select distinct file_no from landing_wanted")}
        files = [file for file in (*(each.scanned() for each in news), *others) if file.file_no in concerned]
        if not files:
            return False
        # On its own, for the optimizer would join every row with its file before it looks which rows are wanted.
        self._execute(f"""
            create or replace temp table landing_claimed as
            select file_no, row_number, {", ".join(_VERSION_COLUMNS)} from ({self._wanted_rows(files)})
        """)
        self._execute("""
            delete from landing_claimed as e using (
                from landing_bad_rows
                union all
                select file_no, row_number from meta.event_claims where file_no in (select file_no from landing_wanted)
            ) as c
            where e.file_no = c.file_no and e.row_number = c.row_number
        """)
        return bool(self._rows("select 1 from landing_claimed limit 1"))

    def _wanted_rows(self, files: Sequence[ScannedFile]) -> str:
        """Return SQL for the wanted rows of some files.

        A long file is read on its own: the numbers of its rows then fit the processor's cache, which halves the work.
        """
        long = [file for file in files if pq.read_metadata(file.path).num_rows >= _LONG]
        short = tuple(file for file in files if file not in long)
        parts = [
            f"""
            select ({file.file_no})::bigint as file_no, file_row_number + 1 as row_number, {file.projection}
            from read_parquet({quote(str(file.path))}, file_row_number = true)
            semi join (
                select row_number - 1 as file_row_number from landing_wanted where file_no = {file.file_no}
            ) as wanted using (file_row_number)
            """
            for file in long
        ]
        if short:
            parts.append(f"select * from ({scan_sql(short, EVENT_COLUMNS)}) semi join landing_wanted using (file_no, row_number)")
        return " union all ".join(parts)

    def _events_of_before(self, news: set[int]) -> list[tuple[ScannedFile, int]]:
        """Return the files of events that are on record and not among the new ones, each with its rows."""
        events = [source.name for source in self._sources.values() if source.delivery == "append_events"]
        found = self._rows(
            """
            select file_no, path, projection, row_count from meta.event_files
            where list_contains($events, source) order by file_no
            """,
            events=events,
        )
        return [
            (ScannedFile(number, self._settings.home / path, sql), rows)
            for number, path, sql, rows in found
            if number not in news
        ]

    def _compare(self) -> None:
        """Find duplicates, corrections and conflicts among the versions of the events that came up, and the days they touch.

        Many are compared part by part: their order takes far more room than they do themselves.
        """
        columns = f"file_no, row_number, arrival, file_name, {', '.join(_VERSION_COLUMNS)}"
        content = f"row({', '.join(_CONTENT)})"
        ((rows,),) = self._rows("select count(*) from landing_claimed")
        parts = -(-rows // _COMPARED)
        for part in range(parts):
            into = "insert into landing_versions" if part else "create or replace temp table landing_versions as"
            of_part = f"where hash(event_id) % {parts} = {part}" if parts > 1 else ""
            self._execute(f"""
                {into}
                with versions as (
                    select {columns}, true as is_new
                    from landing_claimed inner join meta.event_files using (file_no) {of_part}
                    union all
                    -- Rows that share their key with a new one were found with it, whether they are on record or not.
                    select {columns}, false as is_new
                    from meta.event_claims semi join landing_wanted using (file_no, row_number) {of_part}
                )

                select
                    file_no, row_number, usage_date, is_new,
                    lag({content}) over each_event is not distinct from {content} as is_duplicate,
                    lag(file_no) over each_event is not null and not is_duplicate as is_correction,
                    coalesce(lag(ingested_at) over each_event = ingested_at, false) and not is_duplicate as is_conflict,
                    min(usage_date) over of_event < max(usage_date) over of_event as is_moved,
                    -- What stands alone was met for a bad row's sake or another tenant's.
                    is_deleted or count(*) over of_event > 1 as is_noted
                from versions
                window
                    each_event as (partition by tenant_id, event_id order by ingested_at, arrival, file_name, row_number),
                    of_event as (
                        partition by tenant_id, event_id order by ingested_at, arrival, file_name, row_number
                        rows between unbounded preceding and unbounded following
                    )
            """)
        self._execute("insert into landing_days select distinct usage_date from landing_versions where is_noted")

    def _insert_claims(self) -> None:
        """Note the new versions, with their marks at once: storing them and then changing them costs twice."""
        versions = ", ".join(f"e.{column}" for column in _VERSION_COLUMNS)
        self._execute(f"""
            insert into meta.event_claims by name
            select
                e.file_no, e.row_number, f.batch_id, f.arrival, f.file_name, {versions},
                {", ".join(f"v.{mark}" for mark in _MARKS)}, false as set_aside
            from landing_claimed as e
            inner join meta.event_files as f on e.file_no = f.file_no
            inner join landing_versions as v on e.file_no = v.file_no and e.row_number = v.row_number
            where v.is_noted
        """)

    def _mark_again(self) -> None:
        """Mark versions that were on record and that another one now stands before or beside."""
        self._execute(f"""
            update meta.event_claims as c set {", ".join(f"{mark} = v.{mark}" for mark in _MARKS)}
            from landing_versions as v
            where not v.is_new and c.file_no = v.file_no and c.row_number = v.row_number
                and ({", ".join(f"c.{mark}" for mark in _MARKS)}) <> ({", ".join(f"v.{mark}" for mark in _MARKS)})
        """)

    # What stands

    def _settle(self) -> None:
        """Decide anew which deliveries stand and what is set aside; note the days for which that changed."""
        lookback = f"INTERVAL {self._settings.cloud_lookback_days} DAY"
        self._execute(f"""
            create or replace temp table landing_settled as
            with opened as (
                select date_trunc('month', usage_date)::DATE as month, min(arrival) as first_arrival
                from meta.event_days where source in ({self._names()}) group by all
            ),

            deliveries as (
                select distinct d.source, d.batch_id, d.arrival, d.scope, x.usage_date
                from meta.event_days as d
                inner join (select distinct scope, usage_date from meta.event_days where source in ({self._names()})) as x
                    on d.scope is not distinct from x.scope
                where d.source in ({self._names()})
            ),

            beyond as (
                select
                    v.*,
                    v.usage_date < (v.arrival - {lookback})::DATE and o.first_arrival < v.arrival and a.month is null as set_aside
                from deliveries as v
                inner join opened as o on date_trunc('month', v.usage_date)::DATE = o.month
                left join meta.event_admitted as a
                    on a.stream = {quote(self._stream)} and a.month = o.month and a.batch_id = v.batch_id
            ),

            latest as (
                select scope, usage_date, max(arrival) as arrival
                from beyond
                where not set_aside and scope is not null and source in ({self._overwriting()})
                group by all
            )

            select
                d.file_no, d.usage_date, d.tenant_id, d.scope, b.set_aside,
                not b.set_aside and (l.arrival is null or d.arrival >= l.arrival) as is_live
            from meta.event_days as d
            inner join beyond as b
                on d.batch_id = b.batch_id and d.usage_date = b.usage_date and d.scope is not distinct from b.scope
            left join latest as l on d.scope = l.scope and d.usage_date = l.usage_date
        """)
        same = """c.file_no = s.file_no and c.usage_date = s.usage_date and c.tenant_id = s.tenant_id
            and c.scope is not distinct from s.scope and (c.is_live <> s.is_live or c.set_aside <> s.set_aside)"""
        self._execute(
            f"insert into landing_days select c.usage_date from meta.event_days as c join landing_settled as s on {same}"
        )
        self._execute(
            f"update meta.event_days as c set is_live = s.is_live, set_aside = s.set_aside from landing_settled as s where {same}"
        )
        self._settle_claims(lookback)

    def _overwriting(self) -> str:
        names = [source.name for source in self._sources.values() if source.delivery == "overwrite_scope"]
        return ", ".join(map(quote, sorted(names))) or "''"

    def _settle_claims(self, lookback: str) -> None:
        """Set versions aside whose day is, or that would change a day beyond the window: never is a change half applied."""
        any_beyond = f"""
            select 1 from meta.event_claims
            where set_aside or usage_date < (select max(arrival) - {lookback} from meta.event_claims)::DATE limit 1
        """
        if not self._rows(any_beyond):
            return
        self._execute(f"""
            create or replace temp table landing_settled as
            with changing as (
                -- They follow a version that came before them, on a day that is beyond for them.
                select distinct c.file_no, c.row_number
                from meta.event_claims as c
                inner join meta.event_claims as e on c.tenant_id = e.tenant_id and c.event_id = e.event_id
                left join meta.event_admitted as a
                    on a.stream = {quote(self._stream)} and a.month = date_trunc('month', e.usage_date)::DATE
                    and a.batch_id = c.batch_id
                where e.arrival < c.arrival and e.usage_date < (c.arrival - {lookback})::DATE and a.month is null
                    and (e.ingested_at, e.arrival, e.file_name, e.row_number)
                    < (c.ingested_at, c.arrival, c.file_name, c.row_number)
            )

            select
                c.file_no, c.row_number, c.tenant_id, c.event_id, d.set_aside or g.file_no is not null as set_aside
            from meta.event_claims as c
            inner join meta.event_days as d
                on c.file_no = d.file_no and c.usage_date = d.usage_date and c.tenant_id = d.tenant_id
            left join changing as g on c.file_no = g.file_no and c.row_number = g.row_number
        """)
        same = "c.file_no = s.file_no and c.row_number = s.row_number and c.set_aside <> s.set_aside"
        self._execute(f"""
            insert into landing_days
            select c.usage_date from meta.event_claims as c
            semi join (
                select c.tenant_id, c.event_id from meta.event_claims as c join landing_settled as s on {same}
            ) using (tenant_id, event_id)
        """)
        self._execute(f"update meta.event_claims as c set set_aside = s.set_aside from landing_settled as s where {same}")

    # Counts and slices

    def _count_batches(self) -> None:
        """Count what became of each batch's rows, and the months that it touches."""
        held = " union all ".join(
            f"select batch_id, month from meta.held_{source} where not is_duplicate" for source in sorted(self._sources)
        )
        if not held:
            return
        self._execute(f"""
            update meta.batches as b set
                rows_in_file = c.in_file, rows_quarantined = c.quarantined, exact_duplicates = c.duplicates,
                corrections = c.corrections, rows_loaded = c.in_file - c.quarantined - c.duplicates
            from (
                select
                    f.batch_id, f.in_file, coalesce(h.quarantined, 0) as quarantined, coalesce(v.duplicates, 0) as duplicates,
                    coalesce(v.corrections, 0) as corrections
                from (
                    select batch_id, sum(row_count) as in_file
                    from meta.event_files where source in ({self._names()}) group by all
                ) as f
                left join (select batch_id, count(*) as quarantined from ({held}) group by all) as h on f.batch_id = h.batch_id
                left join (
                    select
                        batch_id, count(*) filter (is_duplicate) as duplicates, count(*) filter (is_correction) as corrections
                    from meta.event_claims group by all
                ) as v on f.batch_id = v.batch_id
            ) as c
            where b.batch_id = c.batch_id and (
                b.rows_in_file, b.rows_quarantined, b.exact_duplicates, b.corrections
            ) <> (c.in_file, c.quarantined, c.duplicates, c.corrections)
        """)
        # Of other batches neither the rows nor what became of them is another than before.
        self._execute(f"""
            create or replace temp table landing_batches as
            select distinct batch_id from meta.event_files
            where file_no >= {self._kept[0].number if self._kept else "null"}
                or file_no in (select file_no from landing_versions)
                or source in ({self._overwriting()})
        """)
        self._execute("""
            create or replace temp view landing_later as
            select * from meta.event_claims semi join landing_batches using (batch_id) where is_correction and is_moved
        """)
        order = ("ingested_at", "arrival", "file_name", "row_number")
        is_later = f"({', '.join(f'later.{each}' for each in order)}) > ({', '.join(f'earlier.{each}' for each in order)})"
        self._execute("delete from meta.batch_months where batch_id in (select batch_id from landing_batches)")
        self._execute(f"""
            insert into meta.batch_months
            select batch_id, month, sum(loaded), sum(quarantined), sum(duplicates), sum(replaced)
            from (
                select
                    batch_id, date_trunc('month', usage_date)::DATE as month, sum(row_count) as loaded, 0 as quarantined,
                    0 as duplicates, 0 as replaced
                from meta.event_days where source in ({self._names()}) group by all
                union all
                select batch_id, month, 0, count(*), 0, 0 from ({held}) where month is not null group by all
                union all
                select
                    batch_id, date_trunc('month', usage_date)::DATE, -count(*), 0, count(*), 0
                from meta.event_claims where is_duplicate group by all
                union all
                -- What a batch corrects where it has rows itself adds no month to those that it touches: only moved events may.
                select later.batch_id, date_trunc('month', earlier.usage_date)::DATE, 0, 0, 0, count(*)
                from landing_later as later
                inner join meta.event_claims as earlier using (tenant_id, event_id)
                where earlier.is_moved and {is_later}
                group by all
                union all
                select later.batch_id, date_trunc('month', earlier.usage_date)::DATE, 0, 0, 0, sum(earlier.row_count)
                from (
                    select distinct batch_id, scope, arrival from meta.event_days where source in ({self._overwriting()})
                ) as later
                inner join meta.event_days as earlier on later.scope = earlier.scope and earlier.arrival < later.arrival
                group by all
            )
            semi join landing_batches using (batch_id)
            group by all
        """)

    def _refresh_slices(self) -> dict[str, set[date]]:
        """Compute the slices of the days that may have changed, and those of their months; return the months by source."""
        self._execute("create or replace temp table landing_touched_days as select distinct usage_date from landing_days")
        days = listed_days([day for (day,) in self._rows("select usage_date from landing_touched_days order by all")])
        for slice_name, rows in (
            ("events", self._live_rows()),
            ("claims", self._claim_rows(days)),
        ):
            self._execute(
                f"""
                delete from meta.slices
                where stream = $stream and starts_with(source, '{slice_name}/')
                    and source in (select '{slice_name}/' || usage_date from landing_touched_days)
                """,
                stream=self._stream,
            )
            self._execute(
                f"""
                insert into meta.slices
                select $stream, '{slice_name}/' || usage_date, date_trunc('month', usage_date)::DATE,
                    -- No two lines are equal, so their digests say without sorting the lines which there are.
                    count(*) || '-' || bit_xor(md5_number(line))
                from ({rows}) group by usage_date
                """,
                stream=self._stream,
            )
        self._execute(f"delete from meta.slices where stream = $stream and source in ({self._names()})", stream=self._stream)
        self._execute(
            f"""
            insert into meta.slices
            select $stream, source, date_trunc('month', usage_date)::DATE, sha256(string_agg(line, chr(10) order by line))
            from (
                select
                    source, usage_date,
                    concat_ws('|', batch_id, usage_date, tenant_id, scope, row_count, cost, is_live) as line
                from meta.event_days where source in ({self._names()})
            )
            group by all
            """,
            stream=self._stream,
        )
        self._execute("delete from meta.slices where stream = $stream and source = 'invoices'", stream=self._stream)
        self._execute(
            """
            insert into meta.slices
            select $stream, 'invoices', billing_period,
                sha256(string_agg(concat_ws('|', provider, invoice_id, cost, row_count), chr(10) order by provider, invoice_id))
            from meta.event_invoices group by billing_period
            """,
            stream=self._stream,
        )
        touched: dict[str, set[date]] = {}
        for source, month in self._rows(f"""
            select distinct source, date_trunc('month', usage_date)::DATE
            from meta.event_days semi join landing_touched_days using (usage_date) where source in ({self._names()})
        """):
            touched.setdefault(source, set()).add(month)
        return touched

    def _live_rows(self) -> str:
        return """
            select
                d.usage_date, concat_ws('|', d.batch_id, f.file_name, d.tenant_id, d.scope, d.row_count, d.cost) as line
            from meta.event_days as d
            inner join meta.event_files as f on d.file_no = f.file_no
            semi join landing_touched_days as t on d.usage_date = t.usage_date
            where d.is_live
            union all
            select c.usage_date, concat_ws('|', 'set aside', c.batch_id, c.file_name, c.row_number) as line
            from meta.event_claims as c
            inner join meta.event_days as d
                on c.file_no = d.file_no and c.usage_date = d.usage_date and c.tenant_id = d.tenant_id
            semi join landing_touched_days as t on d.usage_date = t.usage_date
            where c.set_aside and d.is_live
        """

    def _claim_rows(self, days: str) -> str:
        """Return the versions that the outcomes of each of some days rest on: all of each event that has one on the day."""
        line = "concat_ws('|', c.batch_id, c.file_name, c.row_number, c.set_aside) as line"
        return f"""
            select c.usage_date, {line} from meta.event_claims as c where c.usage_date in ({days})
            union all
            select x.usage_date, {line}
            from meta.event_claims as c
            inner join (
                select distinct tenant_id, event_id, usage_date
                from meta.event_claims where usage_date in ({days}) and is_moved
            ) as x on c.tenant_id = x.tenant_id and c.event_id = x.event_id and c.usage_date <> x.usage_date
            where c.is_moved
        """


def _save_index(file: _Kept, hashes: Sequence[key_index.Entries]) -> None:
    """Keep the index of a file's events, given the hashes of their ids in the order of its rows."""
    entries = np.empty(file.rows, np.uint64)
    done = 0
    for part in hashes:
        end = done + len(part)
        entries[done:end] = key_index.entries_of(part, np.arange(done, end), file.rows)
        done = end
    key_index.save(entries, _keys_of(file.path))


def _keys_of(path: Path) -> Path:
    """Return where the index of a kept file stands."""
    return path.with_name(f"{path.name}.keys")


def _over(sql: str, values: Mapping[str, str]) -> str:
    """Return the SQL of a fact over the columns of a file: each stored column in it replaced by what the file calls it."""
    return re.sub(r"'(?:[^']|'')*'|[a-z_][a-z_0-9]*", lambda found: values.get(found[0], found[0]), sql)


def _is_canonical(column: SourceColumn, engine_type: str) -> bool:
    """Return whether a Parquet column has the type of the contract, so that its values need no parsing."""
    if column.kind == "dec" and engine_type.startswith("DECIMAL("):
        digits, places = (int(part) for part in engine_type[len("DECIMAL(") : -1].split(","))
        return places <= column.places and digits - places <= column.digits - column.places
    wanted = {"date": "DATE", "ts": "TIMESTAMP WITH TIME ZONE", "bool": "BOOLEAN"}
    return engine_type == wanted.get(column.kind, "VARCHAR") and column.kind not in ("money", "month", "int", "dec")


def _columns_without_null(path: Path) -> set[str]:
    """Return the columns of a Parquet file that hold no null, as its statistics say."""
    metadata = pq.read_metadata(path)
    full: dict[str, bool] = {}
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            counted = column.statistics is not None and column.statistics.has_null_count
            full[column.path_in_schema] = full.get(column.path_in_schema, True) and counted and not column.statistics.null_count
    return {column for column, is_full in full.items() if is_full}


def _suspicious(source: Source, currency: str) -> dict[str, str]:
    """Return, for each column of a plain file, SQL that is true of values that are bad or need tidying."""
    predicates = {}
    for column in source.columns:
        value = column.stored
        parts = [f"{value} is null"] if column.required else []
        match column.kind:
            case "id" if value == "event_id":
                # Nearly every value is another: one pattern is the cheapest.
                parts += [f"not regexp_full_match({value}, {quote('[!-^`{-~]+')})"]
            case "id":
                # Plain functions, for the engine works them out once for each word of a dictionary; patterns it does not.
                parts.append(f"{value} = '' or upper({value}) <> {value} or strlen({value}) <> length({value})")
                parts.append(_contains(value, "_" + SPACE))
            case "enum":
                parts.append(f"{value} not in ({', '.join(map(quote, column.values))})")
            case "currency":
                parts.append(f"{value} <> {quote(currency)}")
            case "text":
                parts.append(f"{value} = '' or trim({value}) <> {value}")
                edges = f"not regexp_full_match({value}, {quote('[!-~]|[!-~].*[!-~]')})"
                parts.append(f"case when strlen({value}) <> length({value}) then {edges} else false end")
                parts.append(_contains(value, SPACE.replace(" ", "")))
            case "ts" | "date":
                parts.append(f"not isfinite({value})")
            case _:
                pass
        if column.kind == "id":
            parts.append(f"{value} in ({', '.join(map(quote, RESERVED_IDS))})")
        if column.ge is not None:
            parts.append(f"{value} < {column.ge}")
        if parts:
            predicates[value] = f"coalesce({' or '.join(f'({part})' for part in parts)}, false)"
    return predicates


def _contains(value: str, characters: str) -> str:
    ascii_only = [character for character in characters if character.isascii()]
    return " or ".join(f"contains({value}, chr({ord(character)}))" for character in ascii_only)
