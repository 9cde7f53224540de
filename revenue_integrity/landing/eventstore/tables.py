"""The tables of an event log: which files there are, what they hold by day, the versions of events.

Belongs here: making and dropping them, and questions that are answered from them alone. Does not belong here: filling them.

In the schema of a log stand

- ``files``: one row per kept file, with the SQL that reads the log's columns from it,
- ``days``: rows and measures per file, day, what is kept apart and scope, and whether they stand,
- ``versions``: all versions, on any day, of events that have more than one row or a tombstone; ``compared`` shows them with their
  content in one text; a tombstone that came ``without_day`` has the day of another version, and none while it waits for one,
- ``refused``: the bad rows of its files, with day and measures as far as they could be read,
- ``admitted``: what people let count although it was set aside,
- for each breakdown its sums: ``<breakdown>`` as it stands, ``<breakdown>_parts`` by file and day.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from revenue_integrity.landing.eventstore import key_index
from revenue_integrity.landing.eventstore.projection import log_columns
from revenue_integrity.landing.eventstore.work import columns, events_of, same
from revenue_integrity.landing.values import name
from revenue_integrity.model.events import MARKS, PREFERENCE, EventLog
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings


def store_path(settings: Settings) -> Path:
    """Return where the kept files of all streams stand."""
    return settings.home / "events"


def logs_of(sources: Sequence[Source]) -> dict[str, tuple[EventLog, list[Source]]]:
    """Return the event logs that some sources fill, by the names of their schemas, and which sources fill each."""
    found: dict[str, tuple[EventLog, list[Source]]] = {}
    for source in sources:
        if source.events:
            log, filling = found.setdefault(source.events.log.schema, (source.events.log, []))
            if log != source.events.log:
                raise ValueError(f"source {source.name}: another event log has the name {log.schema}, too")
            filling.append(source)
    return found


def prepare(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Make the tables of the logs of some sources if they are not there."""
    for log, _ in logs_of(sources).values():
        connection.execute(f"create schema if not exists {log.schema}")
        for table, declared in _declared(log).items():
            connection.execute(f"create table if not exists {log.schema}.{table} ({declared})")


def forget(connection: duckdb.DuckDBPyConnection, log: EventLog) -> None:
    """Make the tables of a log anew, without rows; what people admitted stays."""
    for view in ("compared", "refused", *(each.name for each in log.breakdowns)):
        connection.execute(f"drop view if exists {log.schema}.{view}")
    for table, declared in _declared(log).items():
        if table != "admitted":
            connection.execute(f"create or replace table {log.schema}.{table} ({declared})")


def _declared(log: EventLog) -> dict[str, str]:
    """Return the columns of each table, as DDL."""
    apart = "".join(f"{name(column)} {log.types[column]} not null, " for column in log.apart)
    day = f"{name(log.day)} DATE not null"
    sums = ", ".join(f"{name(column)} {sum_type(log, column)}" for column in log.measures)
    preference = f"{PREFERENCE} BIGINT, " if log.versions.prefer else ""
    declared = {
        "files": """
            source VARCHAR not null, file_no BIGINT not null, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null,
            file_name VARCHAR not null, path VARCHAR not null, projection VARCHAR not null, row_count BIGINT not null
        """,
        "days": f"""
            source VARCHAR not null, file_no BIGINT not null, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null,
            {day}, {apart} scope VARCHAR, row_count BIGINT not null, {sums},
            is_live BOOLEAN not null, set_aside BOOLEAN not null
        """,
        "versions": f"""
            file_no BIGINT not null, row_number BIGINT not null, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null,
            file_name VARCHAR not null, {", ".join(f"{name(column)} {log.types[column]}" for column in log.version_columns)},
            {preference} {", ".join(f"{mark} BOOLEAN not null" for mark in MARKS)}, without_day BOOLEAN not null,
            set_aside BOOLEAN not null
        """,
        "admitted": "month DATE not null, batch_id VARCHAR not null",
    }
    for each in log.breakdowns:
        further = [column for column in each.by if column not in (log.day, *log.apart)]
        by = "".join(f"{name(column)} {log.types[column]}, " for column in further)
        declared[f"{each.name}_parts"] = f"""
            source VARCHAR not null, file_no BIGINT not null, {day}, {apart} scope VARCHAR, {by} {sums}, row_count BIGINT not null
        """
    return declared


def sum_type(log: EventLog, measure: str) -> str:
    """Return the type of a sum of a measure: exact, however many rows there are."""
    places = log.types[measure].removesuffix(")").split(",")[1] if log.types[measure].startswith("DECIMAL(") else "0"
    return f"DECIMAL(38,{places})"


def create_views(connection: duckdb.DuckDBPyConnection, log: EventLog, sources: Sequence[Source], settings: Settings) -> None:
    """Make the views of a log; the tables of refused rows must be there."""
    content = ", ".join(_as_text(log, column) for column in log.content)
    connection.execute(f"""
        -- With what of a version is compared as a whole: field after field, for no text of them holds the mark between.
        create or replace view {log.schema}.compared as
        select *, concat_ws(chr(31), {content}) as content from {log.schema}.versions
    """)
    refused = " union all ".join(_refused(log, source, settings) for source in sources)
    connection.execute(f"create or replace view {log.schema}.refused as {refused}")
    for each in log.breakdowns:
        sums = ", ".join(f"sum(p.{name(column)})::{sum_type(log, column)} as {name(column)}" for column in log.measures)
        connection.execute(f"""
            create or replace view {log.schema}.{each.name} as
            select {columns(each.by, "p")}, {sums}, sum(p.row_count)::BIGINT as row_count
            from {log.schema}.{each.name}_parts as p
            inner join {log.schema}.days as d
                on p.file_no = d.file_no and {same("p", "d", (log.day, *log.apart))} and p.scope is not distinct from d.scope
            where d.is_live
            group by {columns(each.by, "p")}
        """)


def _refused(log: EventLog, source: Source, settings: Settings) -> str:
    shown = log_columns(source, settings)
    read = ", ".join(f"{shown[column]} as {name(column)}" for column in dict.fromkeys((log.day, *log.apart, *log.measures)))
    return f"""
        select f.source, f.file_no, h.batch_id, h.file_name, h.row_number, h.month, {read}
        from meta.held_{source.dataset} as h
        inner join {log.schema}.files as f on h.batch_id = f.batch_id and h.file_name = f.file_name
    """


def _as_text(log: EventLog, column: str) -> str:
    """Return SQL for a column of a version as text; no text holds the mark that stands for null."""
    value = f"epoch_us({name(column)})" if log.types[column].startswith("TIMESTAMP") else name(column)
    if column == log.day:
        value = f"case when not without_day then {value} end"
    return f"coalesce({value}::varchar, chr(30))"


# Questions


def kept_files(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[str]:
    """Return the files that the logs of some sources rest on, relative to the home: rows, and indexes of events."""
    found: list[str] = []
    for log, filling in logs_of(sources).values():
        indexed = {source.name for source in filling if events_of(source).appends}
        for path, source in connection.execute(f"select path, source from {log.schema}.files order by path").fetchall():
            found += [path, str(key_index.beside(Path(path)))] if source in indexed else [path]
    return found


def lost_files(files: Iterable[str], settings: Settings) -> list[str]:
    """Return those of some kept files that are gone."""
    return [file for file in files if not (settings.home / file).is_file()]


def batches_set_aside(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> dict[str, list[date]]:
    """Return the batches all of whose rows of some month are set aside, with these months."""
    found: dict[str, list[date]] = {}
    for log, _ in logs_of(sources).values():
        month = f"date_trunc('month', {name(log.day)})::date"
        rows = connection.execute(f"""
            select batch_id, list(month order by month)
            from (select batch_id, {month} as month from {log.schema}.days group by all having bool_and(set_aside))
            group by batch_id order by batch_id
        """)
        found |= dict(rows.fetchall())
    return found


def rows_of_month(connection: duckdb.DuckDBPyConnection, source: Source, month: date) -> int:
    """Return how many good rows of a source belong to a month, whether they count or not."""
    log = events_of(source).log
    counting = f"""
        select coalesce(sum(row_count), 0) from {log.schema}.days
        where source = $source and date_trunc('month', {name(log.day)}) = $month
    """
    ((rows,),) = connection.execute(counting, {"source": source.name, "month": month}).fetchall()
    return int(rows)
