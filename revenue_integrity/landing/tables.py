"""The tables of the store: raw rows, what is held back, look-ups, and what the store was built by.

Belongs here: making and dropping them, and the quarantine over all of them. Does not belong here: filling them (``merge``,
``eventstore``).
"""

from collections.abc import Sequence

import duckdb

from revenue_integrity.landing.eventstore import projection
from revenue_integrity.landing.eventstore import tables as events
from revenue_integrity.landing.values import name
from revenue_integrity.model.source import Lookup, Source, fingerprint, raw_table, under
from revenue_integrity.settings import Settings

RULES_VERSION = "10"
"""Raise it when reading, judging or resolving changes its results: the store is then built again from the landing zone."""


def built_by(sources: Sequence[Source], settings: Settings) -> str:
    """Return what a store is built by: another value means that it must be built again."""
    # What rows of files rest on beside their columns is settled when a file is kept.
    used = settings.values(*projection.settings_used(sources))
    return fingerprint(
        under(sources, settings),
        settings.currency,
        RULES_VERSION,
        *(f"{name}={value}" for name, value in sorted(used.items())),
    )


def must_rebuild(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings) -> bool:
    """Return whether the store of some sources was built by other rules, or lost files that it rests on."""
    built = connection.execute(
        "select built_by from meta.ingestion where list_contains(?, stream)", [sorted({source.stream for source in sources})]
    ).fetchall()
    if {each for (each,) in built} != {built_by(sources, settings)}:
        return True
    # They are links or copies of what was landed: whatever is lost of them can be made again.
    return bool(events.lost_files(events.kept_files(connection, sources), settings))


def lookups_of(sources: Sequence[Source]) -> dict[str, Lookup]:
    """Return the look-ups of some sources, by the tables in which they are kept."""
    found = {source.lookup_table(each.lookup): each.lookup for source in sources for each in source.references}
    return dict(sorted(found.items()))


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of this module if they are not there."""
    connection.execute("create table if not exists meta.ingestion (stream VARCHAR not null, built_by VARCHAR not null)")


def drop(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Drop the tables of some sources: they are built again."""
    connection.execute("drop view if exists meta.quarantine")
    for source in sources:
        connection.execute(f"drop table if exists raw.{source.dataset}")
        connection.execute(f"drop table if exists meta.held_{source.dataset}")
        connection.execute(f"drop table if exists meta.starts_{source.dataset}")
    for kept in lookups_of(sources):
        connection.execute(f"drop table if exists {kept}")
    connection.execute("delete from meta.ingestion where list_contains(?, stream)", [_streams(sources)])


def create(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings) -> None:
    """Make the tables of some sources, and note what they are built by."""
    for source in sources:
        declared = raw_table(source)
        columns = ", ".join(
            f"{name(column)} {declared.sql_type(column)}{'' if declared.schema.columns[column].nullable else ' not null'}"
            for column in declared.columns
        )
        if not source.is_kept_in_files:
            connection.execute(f"create table raw.{source.dataset} ({columns})")
        values = ", ".join(f"{name(column)} {source.sql_type(column)}" for column in source.values)
        connection.execute(f"""
            create table meta.held_{source.dataset} (
                {values}, batch_id VARCHAR not null, arrival TIMESTAMPTZ not null, file_name VARCHAR not null,
                row_number BIGINT not null, is_duplicate BOOLEAN not null, static_errors VARCHAR,
                reference_errors VARCHAR, raw VARCHAR
            )
        """)
        if source.starts:
            by = ", ".join(f"{name(column)} {source.sql_type(column)} not null" for column in source.starts.by)
            connection.execute(f"create table meta.starts_{source.dataset} ({by}, first_day DATE not null)")
    for kept, lookup in lookups_of(sources).items():
        connection.execute(f"create table {kept} as {lookup.sql} limit 0")
    for stream in _streams(sources):
        connection.execute("insert into meta.ingestion values (?, ?)", [stream, built_by(sources, settings)])
    _create_quarantine(connection)


def _streams(sources: Sequence[Source]) -> list[str]:
    return sorted({source.stream for source in sources})


def _create_quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    """Show quarantined rows of all sources that there are, and rejected batches, as one view."""
    held = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'meta' and starts_with(table_name, 'held_') order by all"
    ).fetchall()
    parts = [
        f"""
        select
            split_part(batch_id, '/', 1) as stream, split_part(batch_id, '/', 2) as source, batch_id, file_name, row_number,
            {_month_of(connection, table)} as month, concat_ws('; ', static_errors, reference_errors) as dq_errors, raw, arrival
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
    connection.execute(f"create or replace view meta.quarantine as {' union all '.join([*parts, rejected])}")


def _month_of(connection: duckdb.DuckDBPyConnection, held: str) -> str:
    columns = connection.execute(
        "select count(*) from duckdb_columns() where schema_name = 'meta' and table_name = ? and column_name = 'month'", [held]
    ).fetchall()
    return "month" if columns[0][0] else "cast(null as DATE)"
