"""The text that a row came with, for rows that went to quarantine after they had been loaded.

Belongs here: reading it again from the row's file. Does not belong here: who goes to quarantine (``merge``).
"""

from collections.abc import Mapping, Sequence

import duckdb

from revenue_integrity.landing.batches import faithful
from revenue_integrity.landing.reading.inspection import inspect
from revenue_integrity.landing.reading.limits import LARGEST
from revenue_integrity.landing.reading.staging import Stager
from revenue_integrity.landing.values import name, quote
from revenue_integrity.landing.zone import FoundBatch
from revenue_integrity.model.source import Source

_WANTED = 1000
"""Identifiers up to which rows are found again by a list of them."""


def restore_raw(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], currency: str, found: Mapping[str, FoundBatch]
) -> None:
    """Give rows that went to quarantine after they had been loaded the text that they came with, from their files."""
    for source in sources:
        lacking = connection.execute(
            f"select distinct batch_id from meta.held_{source.dataset} where raw is null and not is_duplicate order by all"
        ).fetchall()
        if lacking:
            _restore_raw_of(connection, source, currency, [batch_id for (batch_id,) in lacking], found)


def _restore_raw_of(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    currency: str,
    batch_ids: Sequence[str],
    found: Mapping[str, FoundBatch],
) -> None:
    held = f"meta.held_{source.dataset}"
    lacking = "raw is null and not is_duplicate"
    wanted = connection.sql(f"select batch_id, file_name, row_number from {held} where {lacking}").to_arrow_table()
    # Reading on a connection of its own: an error would end this transaction, and reading falls back after errors.
    with connection.cursor() as reader:
        reader.execute("set TimeZone = 'UTC'")
        names = {}
        facts = []
        for batch_id in faithful(connection, batch_ids, found):
            for file in (inspect(found[batch_id].path / each.name, LARGEST) for each in found[batch_id].files):
                names[file.path] = (batch_id, file.name)
                facts.append(file)
        staged = Stager(reader, source, currency, came=_condition(connection, source, lacking)).stage(facts)
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
    connection.register("landing_came", came)
    connection.execute(f"""
        update {held} as held set raw = came.raw from landing_came as came
        where held.raw is null and not held.is_duplicate and held.batch_id = came.batch_id
            and held.file_name = came.file_name and held.row_number = came.row_number
    """)
    connection.unregister("landing_came")
    # A file that has gone or changed can no longer say how the row came: what was read from it stands in.
    values = ", ".join(f"{quote(column)}, {name(column)}" for column in source.stored)
    connection.execute(f"update {held} set raw = cast(json_object({values}) as VARCHAR) where {lacking}")


def _condition(connection: duckdb.DuckDBPyConnection, source: Source, lacking: str) -> str:
    """Return SQL that holds for few rows beside those that are wanted, so that not every row of a file is kept."""
    column = name(source.key[0])
    values = connection.execute(
        f"select distinct {column}::VARCHAR from meta.held_{source.dataset} where {lacking} limit {_WANTED + 1}"
    ).fetchall()
    return f"{column}::VARCHAR in ({', '.join(quote(value) for (value,) in values)})" if len(values) <= _WANTED else "true"
