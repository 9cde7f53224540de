"""Keeping files: a plain one where it stands, every other one judged as all sources are and written as Parquet once.

Belongs here: what happens to a batch's files before the transaction. Does not belong here: what they hold by day (``recording``),
reading and judging text (``landing.reading``), how a row becomes one of the log (``projection``).
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity.files import Durable, made, sync, unfinished
from revenue_integrity.landing.eventstore import key_index, plain_text
from revenue_integrity.landing.eventstore.incoming import Incoming, Kept
from revenue_integrity.landing.eventstore.projection import canonical, log_columns, projection_of
from revenue_integrity.landing.eventstore.suspicion import DOUBTFUL, Suspicion, parquet
from revenue_integrity.landing.eventstore.typed_text import write_typed
from revenue_integrity.landing.eventstore.work import LogWork, columns, events_of
from revenue_integrity.landing.reading.inspection import FileFacts, inspect
from revenue_integrity.landing.reading.layout import layout_of
from revenue_integrity.landing.reading.regular import csv_sql
from revenue_integrity.landing.reading.staging import Stager
from revenue_integrity.landing.values import name, path_literal, quote
from revenue_integrity.model.source import Source

WORTH_TYPING = 64 << 20
"""Bytes from which a CSV file is typed at once: below it, parsing is quick whatever it takes."""

_LOOKED_AT = 50_000
"""Identifiers that are looked at together: a megabyte of text, which the processor's cache holds."""


def bad_rows_of(source: Source) -> str:
    """Return the temporary table in which the bad rows of a source's new files wait for the transaction."""
    return f"landing_bad_{source.name}"


class Keeping:
    """The files of new batches of one log, before the transaction. What is kept stands in ``kept``."""

    def __init__(self, work: LogWork, home: Path) -> None:
        """Keep files below a directory."""
        self._work = work
        self._home = home
        self.kept: list[Kept] = []
        self._staged: set[Source] = set()

    def stage(self, source: Source, batches: Sequence[Incoming]) -> None:
        """Keep the files of some new batches. A batch with a file that cannot be read is marked, and nothing of it kept."""
        self._work.execute(f"create or replace temp table {bad_rows_of(source)} as {_no_bad_rows(source)}")
        plain: list[Kept] = []
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
        self.kept += [each for each in plain if each not in converted]
        if others:
            self._convert(source, others)
        self._staged.add(source)
        self.leave_out([batch.batch_id for batch in batches if batch.error])

    def leave_out(self, batch_ids: Sequence[str]) -> None:
        """Let nothing of some staged batches count."""
        self.kept = [each for each in self.kept if each.batch_id not in batch_ids]
        for source in sorted(self._staged, key=lambda each: each.name) if batch_ids else []:
            self._work.execute(f"delete from {bad_rows_of(source)} where list_contains($ids, batch_id)", ids=list(batch_ids))

    def _directory(self, source: Source, batch_id: str) -> Path:
        directory = self._home / source.name / batch_id.rsplit("/", 1)[1]
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    # Files whose rows need no more than a look

    def _plain(self, source: Source, batch: Incoming, file: FileFacts) -> Kept | None:
        """Keep a file whose rows need no more than a look: Parquet with the contract's types, or much regular CSV."""
        if not events_of(source).appends:
            return None
        if file.format == "parquet":
            values = self._canonical(source, file.header, file.path)
            return self._link(source, batch, file, values) if values else None
        if file.format == "csv" and file.length >= WORTH_TYPING and not (file.irregular or file.compressed):
            return self._typed(source, batch, file)
        return None

    def _canonical(self, source: Source, header: Sequence[str], path: Path) -> dict[str, str]:
        types = {
            row[0]: str(row[1])
            for row in self._work.rows(f"describe select * from read_parquet({path_literal(path)}, hive_partitioning = false)")
        }
        return canonical(source, header, types, path)

    def _new(self, source: Source, batch: Incoming, file: FileFacts, path: Path, values: dict[str, str] | None = None) -> Kept:
        kept = Kept(source, batch.batch_id, batch.arrival, file, path, projection_of(source, self._work.settings, values))
        kept.stored = ", ".join(f"{sql} as {name(column)}" for column, sql in (values or {}).items())
        return kept

    def _link(self, source: Source, batch: Incoming, file: FileFacts, values: dict[str, str]) -> Kept:
        target = self._directory(source, batch.batch_id) / file.name
        target.unlink(missing_ok=True)
        try:
            os.link(file.path, target)
        except OSError:
            # Another file system: a copy costs space, and nothing else changes.
            shutil.copyfile(file.path, target)
            sync(target)
        kept = self._new(source, batch, file, target, values)
        kept.rows = pq.read_metadata(target).num_rows
        return kept

    def _typed(self, source: Source, batch: Incoming, file: FileFacts) -> Kept | None:
        """Write a large CSV file as Parquet with the contract's types at once; what is not plainly a value is marked.

        A file that a cast does not do for is read record by record.
        """
        layout = layout_of(source, file.header)
        present = {column: place for column, place in zip(source.columns, layout.positions, strict=True) if place is not None}
        hashed = [column for column in present if column.stored in self._work.log.hashed]
        if layout.problem or len(hashed) < len(self._work.log.hashed):
            return None
        target = self._directory(source, batch.batch_id) / f"{file.name}.parquet"
        in_order = sorted(hashed, key=lambda column: self._work.log.hashed.index(column.stored))
        try:
            with made(target, durable=Durable.CONTENT) as new:
                hashes, may_be_untidy = write_typed(self._work.connection, file, present, in_order, new)
                if sum(map(len, hashes)) != file.records:
                    raise pa.ArrowInvalid("rows were passed over")
        except (duckdb.Error, pa.ArrowException):
            # Not as regular as it looked: it is read record by record, which tells what is wrong with which.
            return None
        kept = self._new(source, batch, file, target, self._canonical(source, [column.name for column in present], target))
        kept.rows, kept.may_be_untidy = sum(map(len, hashes)), may_be_untidy
        key_index.save_parts(hashes, kept.rows, key_index.beside(target))
        texts = ", ".join(f"c{place} as {name(column)}" for place, column in enumerate(layout.header))
        text = csv_sql([file], [f"c{place}" for place in range(len(layout.header))])
        kept.landed = f"select {texts}, row_number() over () - 1 as file_row_number from {text}"
        return kept

    def _judge_plain(self, source: Source, files: Sequence[Kept]) -> list[Kept]:
        """Judge files that are kept as they are; return those that must be converted after all, for a row needs tidying."""
        if not files:
            return []
        suspicion = Suspicion(self._work, source)
        alike: dict[str, list[Kept]] = {}
        for file in files:
            alike.setdefault(file.projection, []).append(file)
        converted = []
        for group in alike.values():
            # Small files are looked at together: a call costs more than their rows.
            suspicious = [file for file in group if self._index(file)]
            if suspicion.any_of(group):
                suspicious = suspicion.which_of(group)
            suspicious += [file for file in group if file not in suspicious and suspicion.has_doubts(file)]
            converted += [file for file in suspicious if not self._put_aside_bad(source, file, suspicion)]
        for file in converted:
            file.path.unlink()
        return converted

    def _index(self, file: Kept) -> bool:
        """Keep the index of a file's events; return whether a text of any event's key may be bad or untidy.

        Both need to see each of them, so it is one look.
        """
        if file.may_be_untidy is not None:
            return file.may_be_untidy
        hashed = self._work.log.hashed
        ids = [column.stored in hashed and column.kind == "id" for column in file.source.columns]
        looked_at = {column.stored for column, is_id in zip(file.source.columns, ids, strict=True) if is_id}
        # In the order of the file: `preserve_insertion_order` is on.
        rows = f"select {columns(hashed)} from (select {file.projection} from {parquet(file)})"
        reader = self._work.connection.sql(rows).to_arrow_reader(_LOOKED_AT)
        entries = np.empty(file.rows, np.uint64)
        found, done = False, 0
        for batch in reader:
            end = done + len(batch)
            entries[done:end] = key_index.entries_of(key_index.hashes_of_keys(batch.columns), np.arange(done, end), file.rows)
            texts = (column for key, column in zip(hashed, batch.columns, strict=True) if key in looked_at)
            found = found or any(plain_text.may_be_untidy(column) for column in texts)
            done = end
        key_index.save(entries, key_index.beside(file.path))
        return found

    def _put_aside_bad(self, source: Source, file: Kept, suspicion: Suspicion) -> bool:
        """Put bad rows of a file aside; return whether all others are as the contract wants them."""
        predicates = [*suspicion.predicates, *([DOUBTFUL] if file.landed else [])]
        rows = f"read_parquet({path_literal(file.path)}, file_row_number = true, hive_partitioning = false)"
        doubtful = f", {DOUBTFUL}" if file.landed else ""
        try:
            self._work.execute(f"""
                create or replace temp table landing_suspicious as
                select landed.*, landed.file_row_number + 1 as landed_row
                from ({file.landed or f"select * from {rows}"}) as landed
                semi join (
                    select file_row_number from (select {file.stored}, file_row_number{doubtful} from {rows})
                    where {" or ".join(predicates)}
                ) as suspicious using (file_row_number)
            """)
        except duckdb.InvalidInputException:
            if not file.landed:
                raise
            # Arrow takes lines that the engine refuses, those of megabytes: such a file is read record by record.
            return False
        with unfinished(self._home, "doubtful") as scratch:
            subset = scratch / "rows.parquet"
            self._work.execute(
                f"copy (select * exclude (landed_row, file_row_number) from landing_suspicious order by landed_row)"
                f" to {quote(str(subset))} (format parquet)"
            )
            staged = Stager(self._work.connection, source, self._work.settings.currency).stage([inspect(subset)])
            judged = f"select *, row_number() over (order by rowid) as place from {staged.table}"
            self._work.execute(f"""
                create or replace temp table landing_judged_bad as
                select j.* exclude (f, place), s.landed_row
                from ({judged}) as j
                inner join (select landed_row, row_number() over (order by landed_row) as place from landing_suspicious) as s
                    on j.place = s.place
            """)
        ((untidy,),) = self._work.rows("select count(*) from landing_judged_bad where static_errors is null")
        if untidy:
            return False
        self._insert_bad(source, file, "select *, landed_row as row_number from landing_judged_bad")
        return True

    # Files that are judged as all sources are

    def _convert(self, source: Source, files: Sequence[tuple[Incoming, FileFacts]]) -> None:
        """Judge files as all sources are judged, and write each as Parquet, bad rows in their places."""
        staged = Stager(self._work.connection, source, self._work.settings.currency).stage(file for _, file in files)
        of_log = ", ".join(f"{sql} as {name(column)}" for column, sql in log_columns(source, self._work.settings).items())
        written: list[tuple[Kept, int]] = []
        for batch, file in files:
            batch.unknown |= set(staged.unknown.get(file.path, ()))
            if file.path in staged.problems:
                batch.error = "; ".join(filter(None, (batch.error, staged.problems[file.path])))
        for batch, file in files:
            if batch.error:
                continue
            target = self._directory(source, batch.batch_id) / f"{file.name}.parquet"
            number = staged.numbers[file.path]
            rows = f"select {of_log} from {staged.table} where f = {number} order by rowid"
            with made(target, durable=Durable.CONTENT) as new:
                self._work.execute(f"copy ({rows}) to {quote(str(new))} (format parquet, compression zstd)")
            kept = self._new(source, batch, file, target)
            kept.rows = pq.read_metadata(target).num_rows
            if events_of(source).appends:
                self._index(kept)
            written.append((kept, number))
        bad = {f for (f,) in self._work.rows(f"select distinct f from {staged.table} where static_errors is not null")}
        numbered = f"select *, rowid - min(rowid) over (partition by f) + 1 as row_number from {staged.table}"
        for kept, number in written:
            if number in bad:
                self._insert_bad(source, kept, f"select * from ({numbered}) where f = {number}")
        self.kept += [kept for kept, _ in written]
        self._work.execute(f"drop table {staged.table}")

    def _insert_bad(self, source: Source, file: Kept, rows: str) -> None:
        self._work.execute(
            f"""
            insert into {bad_rows_of(source)}
            select {columns(source.values)}, $batch_id, $arrival, $file_name, row_number, static_errors, raw
            from ({rows}) where static_errors is not null
            """,
            batch_id=file.batch_id,
            arrival=file.arrival,
            file_name=file.facts.name,
        )


def _no_bad_rows(source: Source) -> str:
    values = ", ".join(f"cast(null as {source.sql_type(column)}) as {name(column)}" for column in source.values)
    return (
        f"select {values}, cast(null as VARCHAR) as batch_id, cast(null as TIMESTAMPTZ) as arrival,"
        " cast(null as VARCHAR) as file_name, cast(null as BIGINT) as row_number, cast(null as VARCHAR) as static_errors,"
        " cast(null as VARCHAR) as raw where false"
    )
