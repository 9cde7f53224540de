"""Writing and reading one month of a table: all of it in one transaction, by column name, into a table made from its schema.

Belongs here: DDL, replacing a partition, reading partitions back with exact types. Does not belong here: Dagster
(``io_manager``), what is published.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from revenue_integrity.errors import WarehouseError
from revenue_integrity.model.query import Query, listed_days
from revenue_integrity.model.table import Table
from revenue_integrity.warehouse.hashing import Part, canonical_digests, content_hash, ordered_by
from revenue_integrity.warehouse.validation import validate_frame, validate_rows

Value = pd.DataFrame | Query


@dataclass(frozen=True)
class Written:
    """What a write left.

    Attributes:
        rows, content_hash: of the partition.
        slices: the content hash of each slice, where the table is kept in slices.
        parts: of the slices that were written, where each is published in parts.
    """

    rows: int
    content_hash: str
    slices: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[Part] = ()


@dataclass(frozen=True)
class Sliced:
    """Which slices of a partition are written, where a table is kept in slices.

    Attributes:
        days: the days whose rows are replaced.
        kept: the hash of every slice as it is on record.
    """

    days: Sequence[date]
    kept: Mapping[str, str]


def ensure_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Create the table from its declaration, or bring an older one up to it.

    A new column is added as null: its partitions have another code version, so they are recomputed; one that had another name
    takes the values it had under that. A column whose type changed, or that is gone, makes the table anew with the rows cast;
    what cannot be cast raises, and nothing changes.
    """
    connection.execute(f"create schema if not exists {table.layer}")
    wanted = {name: table.sql_type(name) for name in table.columns}
    connection.execute(_create(table, table.qualified).replace("create table", "create table if not exists", 1))
    described = connection.execute(f"select name, type from pragma_table_info('{table.qualified}') order by cid")
    found = dict(described.fetchall())
    if found != wanted:
        held = {name: name if name in found else table.formerly.get(name, name) for name in wanted}
        kept = ", ".join(f'"{before}" as "{name}"' for name, before in held.items() if before in found)
        connection.execute(_create(table, f"{table.layer}.{table.name}__new"))
        connection.execute(f"insert into {table.layer}.{table.name}__new by name select {kept} from {table.qualified}")
        connection.execute(f"drop table {table.qualified}")
        connection.execute(f"alter table {table.layer}.{table.name}__new rename to {table.name}")


def _create(table: Table, qualified: str) -> str:
    # Nulls are judged by the table's rules before commit, which names the column and the rows; a constraint would not.
    columns = ", ".join(f'"{name}" {table.sql_type(name)}' for name in table.columns)
    return f"create table {qualified} ({columns})"


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Arrow types in which a frame travels into the engine."""
    return pa.schema([(name, arrow_type(table.sql_type(name))) for name in table.columns])


def arrow_type(sql_type: str) -> pa.DataType:
    """Return the Arrow type of a stored column, given the engine's."""
    if sql_type.startswith("DECIMAL("):
        digits, places = sql_type[len("DECIMAL(") : -1].split(",")
        return pa.decimal128(int(digits), int(places))
    return {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    }[sql_type]


def write_partition(
    connection: duckdb.DuckDBPyConnection, table: Table, partition: date | None, value: Value, sliced: Sliced | None = None
) -> Written:
    """Replace one partition inside the caller's transaction: delete, insert by name, judge, count, hash.

    Without a partition, all rows of a table without months are replaced.
    With ``sliced``, only the rows of some days are replaced, and ``value`` holds rows of these days alone.

    Raises:
        SchemaViolation: a row does not fit the declaration.
        WarehouseError: the columns are not exactly the declared ones, or a row lies outside the partition.
    """
    ensure_table(connection, table)
    if isinstance(value, pd.DataFrame):
        _refuse_other_columns(table, [str(name) for name in value.columns])
        validate_frame(table, partition, value)
        incoming = pa.Table.from_pandas(value[table.columns], schema=arrow_schema(table), preserve_index=False)
        connection.register("incoming_rows", incoming)
        source, parameters = "select * from incoming_rows", {}
    else:
        described = connection.execute(f"describe {value.sql}", value.bound).fetchall()
        _refuse_other_columns(table, [row[0] for row in described])
        source, parameters = value.sql, value.bound
    where = "true" if partition is None else f'"{table.partition}" = $partition'
    given: dict[str, object] = {} if partition is None else {"partition": partition}
    if sliced is not None:
        where = f'{where} and "{table.slice_column}" in ({listed_days(sliced.days)})'
    connection.execute(f"delete from {table.qualified} where {where}", given)
    ((inserted,),) = connection.execute(f"insert into {table.qualified} by name {source}", parameters).fetchall()
    if isinstance(value, pd.DataFrame):
        connection.unregister("incoming_rows")
    if partition is not None:
        _refuse_rows_outside(connection, table, where, given, partition, inserted)
    if isinstance(value, Query):
        # Rows of other slices have been judged when they were written, and cannot share a key that names the slice.
        judged = (where, given) if sliced is not None and table.slice_column in table.key else ("", None)
        validate_rows(connection, table, partition, *judged)
    if sliced is None or partition is None:
        return Written(inserted, content_hash(connection, table, partition))
    return _sliced(connection, table, partition, sliced)


def _sliced(connection: duckdb.DuckDBPyConnection, table: Table, partition: date, sliced: Sliced) -> Written:
    """Return what a write of slices left: only what was written is hashed."""
    of_month = f'{table.qualified} where "{table.partition}" = $partition'
    touched = {f"{day}" for day in sliced.days}
    hashes = {day: found for day, found in sliced.kept.items() if day not in touched}
    parts: list[Part] = []
    if touched:
        of_days = f'{of_month} and "{table.slice_column}" in ({listed_days(sliced.days)})'
        by = table.part_columns if table.published_slices else (table.slice_column,)
        digests = canonical_digests(connection, table, of_days, by, partition=partition)
        if table.published_slices:
            parts = digests
            hashes |= slices_of_parts(parts)
        else:
            hashes |= {f"{day}": found for (day,), _, found in digests}
    counted = f'select "{table.slice_column}"::varchar, count(*) from {of_month} group by all'
    rows = dict(connection.execute(counted, {"partition": partition}).fetchall())
    # A day without any row is no slice: whether it ever had one makes no difference.
    hashes = {day: found for day, found in sorted(hashes.items()) if day in rows}
    return Written(sum(rows.values()), hash_of_slices(hashes), hashes, parts)


def slices_of_parts(parts: Iterable[Part]) -> dict[str, str]:
    """Return the content hash of each slice, given all its parts: so publishing a slice need not hash its rows again."""
    of_slice: dict[str, dict[str, str]] = defaultdict(dict)
    for part in parts:
        tenant, day = part.names
        of_slice[f"{day}"][tenant] = part.content_hash
    return {day: hash_of_slices(found) for day, found in of_slice.items()}


def hash_of_slices(slices: Mapping[str, str]) -> str:
    """Return the content hash of a partition from those of its slices, or of a slice from those of its parts, by their names."""
    return hashlib.sha256("".join(f"{name} {found}\n" for name, found in sorted(slices.items())).encode()).hexdigest()


def _refuse_other_columns(table: Table, found: list[str]) -> None:
    if sorted(found) != sorted(table.columns):
        missing = sorted(set(table.columns) - set(found))
        unknown = sorted(set(found) - set(table.columns))
        raise WarehouseError(f"{table.qualified} got other columns than declared: missing {missing}, unknown {unknown}")


def _refuse_rows_outside(
    connection: duckdb.DuckDBPyConnection, table: Table, where: str, given: Mapping[str, object], partition: date, inserted: int
) -> None:
    ((inside,),) = connection.execute(f"select count(*) from {table.qualified} where {where}", dict(given)).fetchall()
    if inside != inserted:
        raise WarehouseError(
            f"{table.qualified} {partition:%Y-%m}: {inserted - inside} rows belong to another"
            f" {table.slice_column or table.partition}"
        )


def has_table(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Return whether the table exists."""
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [table.layer, table.name]
    ).fetchall()
    return bool(found)


def read_partitions(
    connection: duckdb.DuckDBPyConnection, table: Table, partitions: Sequence[date], wanted: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the rows of some partitions in key order, with the dtypes of the declaration; absent ones add no rows.

    ``wanted`` names the columns that are read, if not all.
    """
    table = table.only(wanted) if wanted else table
    if not has_table(connection, table):
        return to_frame(table, arrow_schema(table).empty_table())
    columns = ", ".join(f'"{name}"' for name in table.columns)
    order = ", ".join(f'"{name}"' for name in table.key)
    sql = f'select {columns} from {table.qualified} where list_contains($partitions, "{table.partition}") order by {order}'
    return to_frame(table, connection.sql(sql, params={"partitions": list(partitions)}).to_arrow_table())


def read_all(connection: duckdb.DuckDBPyConnection, table: Table) -> pd.DataFrame:
    """Return all rows of a table without months in key order, with the dtypes of the declaration."""
    if not has_table(connection, table):
        return to_frame(table, arrow_schema(table).empty_table())
    columns = ", ".join(f'"{name}"' for name in table.columns)
    return to_frame(table, connection.sql(f"select {columns} from {table.qualified}{ordered_by(table.key)}").to_arrow_table())


def rows_of(connection: duckdb.DuckDBPyConnection, table: Table, query: Query) -> pd.DataFrame:
    """Return the rows of a query that selects exactly the declared columns, with the dtypes of the declaration."""
    return to_frame(table, connection.sql(query.sql, params=query.bound).select(*table.columns).to_arrow_table())


def rows_of_query(connection: duckdb.DuckDBPyConnection, query: Query) -> pd.DataFrame:
    """Return the rows of any query, exact."""
    return exact_frame(connection.sql(query.sql, params=query.bound).to_arrow_table())


def to_frame(table: Table, rows: pa.Table) -> pd.DataFrame:
    """Return Arrow rows as a frame with the dtypes of the declaration: decimals stay exact, nullable integers stay integers."""
    frame = _plain_frame(rows.cast(arrow_schema(table)))
    for name, column in table.schema.columns.items():
        dtype = _dtype(table.sql_type(name), nullable=column.nullable)
        if dtype:
            frame[name] = frame[name].astype(dtype)
    return frame


def _dtype(sql_type: str, *, nullable: bool) -> str:
    return {
        "BIGINT": "Int64" if nullable else "int64",
        "BOOLEAN": "boolean" if nullable else "bool",
        "DATE": "datetime64[us]",
        "TIMESTAMP WITH TIME ZONE": "datetime64[us, UTC]",
    }.get(sql_type, "")


def exact_frame(rows: pa.Table) -> pd.DataFrame:
    """Return any Arrow rows as a frame without loss: decimals as ``Decimal``, integers with nulls as ``Int64``."""
    frame = _plain_frame(rows)
    for column in rows.schema:
        if pa.types.is_integer(column.type):
            frame[column.name] = frame[column.name].astype("Int64" if frame[column.name].isna().any() else "int64")
    return frame


def _plain_frame(rows: pa.Table) -> pd.DataFrame:
    """Return Arrow rows as a frame, with the dtypes that Arrow chooses."""
    decimals = [place for place, column in enumerate(rows.schema) if pa.types.is_decimal(column.type)]
    others = [place for place in range(rows.num_columns) if place not in decimals]
    frame = rows.select(others).to_pandas(integer_object_nulls=True, date_as_object=False)
    for place in decimals:
        frame.insert(place, rows.column_names[place], _decimals(rows.column(place)))
    return frame


def _decimals(column: pa.ChunkedArray) -> "np.ndarray[Any, Any]":
    """Return a column of ``Decimal``, each value made once: to make one costs many times as much as to point at one.

    Quantities and ratios repeat: racks are few, most months have no estimate. Nobody can tell, for a ``Decimal`` never changes.
    """
    encoded = column.combine_chunks().dictionary_encode()
    values = np.empty(len(encoded.dictionary) + 1, dtype=object)
    values[:-1] = encoded.dictionary.to_pandas()
    return values[encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()]
