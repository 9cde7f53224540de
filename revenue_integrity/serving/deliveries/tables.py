"""Tables in the database of a delivery: made as a dataset's shape says, and brought up to it without losing anything.

Belongs here: types, keys, indexes and comments there, which changes are made and which refused, the record of what was delivered.
Does not belong here: the rows (``delivering``), what one kind of database alone knows (``postgres``, ``sqlserver``), who may read
(``rights``).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateColumn, SetColumnComment, SetTableComment
from sqlalchemy.types import TypeEngine

from revenue_integrity.errors import DeliveryError
from revenue_integrity.serving.deliveries.shape import LONGEST_KEY_TEXT, LONGEST_NAME, Column, Shape

RECORD = "revenue_integrity_deliveries"
"""The table in which a database keeps what was delivered into it."""

NO_MONTH = date(1, 1, 1)
"""The month on record of a dataset without months."""

_BINARY = "Latin1_General_100_BIN2"
"""A collation of SQL Server in which text is equal only where its characters are: others take two keys for one."""

_COLLATION = re.compile(r"\s+COLLATE\s+\S+", re.IGNORECASE)


def sql_type(column: Column) -> TypeEngine[Any]:
    """Return the type of a column, for each kind of database."""
    match column.kind:
        case "text":
            return sa.Text().with_variant(mssql.NVARCHAR(None), "mssql")
        case "key_text":
            return sa.String(LONGEST_KEY_TEXT).with_variant(mssql.NVARCHAR(LONGEST_KEY_TEXT, collation=_BINARY), "mssql")
        case "whole":
            return sa.BigInteger()
        case "decimal":
            return sa.Numeric(column.digits, column.places)
        case "flag":
            return sa.Boolean().with_variant(mssql.BIT(), "mssql")
        case "day":
            return sa.Date().with_variant(mssql.DATE(), "mssql")
        case "instant":
            return sa.DateTime(timezone=True).with_variant(mssql.DATETIMEOFFSET(6), "mssql")


def table_of(shape: Shape, schema: str, name: str = "", *, with_key: bool = True) -> sa.Table:
    """Return the table of a shape, under its own name or another; no column but those of the key refuses nulls.

    So a column that a later release has no more can stay and be null.
    """
    table = sa.Table(
        name or shape.dataset,
        sa.MetaData(),
        *(_column(each) for each in shape.columns),
        schema=schema,
        comment=shape.description,
    )
    if with_key and shape.key:
        table.append_constraint(sa.PrimaryKeyConstraint(*shape.key, mssql_clustered=False))
    return table


def _column(column: Column) -> "sa.Column[Any]":
    return sa.Column(
        column.name, sql_type(column), nullable=not column.in_key, comment=column.description or None, autoincrement=False
    )


def indexes_of(shape: Shape, table: sa.Table) -> "list[sa.Index]":
    """Return the further indexes of a shape on a table."""
    return [sa.Index(_index_name(shape, index), *(table.c[name] for name in index)) for index in shape.indexes]


def _index_name(shape: Shape, columns: Sequence[str]) -> str:
    name = f"{shape.dataset}_{'_'.join(columns)}"
    if len(name.encode()) <= LONGEST_NAME - 4:
        return f"{name}_idx"
    return f"{shape.dataset.encode()[:40].decode(errors='ignore')}_{hashlib.sha256(name.encode()).hexdigest()[:12]}_idx"


def record_table(schema: str) -> sa.Table:
    """Return the table that keeps what was delivered: a row per dataset and month."""
    key = sa.String(LONGEST_KEY_TEXT).with_variant(mssql.NVARCHAR(LONGEST_KEY_TEXT, collation=_BINARY), "mssql")
    text = sa.Text().with_variant(mssql.NVARCHAR(None), "mssql")
    return sa.Table(
        RECORD,
        sa.MetaData(),
        sa.Column("dataset", key, primary_key=True, comment="The dataset."),
        sa.Column(
            "month",
            sa.Date().with_variant(mssql.DATE(), "mssql"),
            primary_key=True,
            comment="Its month; 0001-01-01 for a dataset without months.",
        ),
        sa.Column("delivery", text, nullable=False, comment="The delivery that brought it."),
        sa.Column("content_hash", text, nullable=False, comment="Hash of what it holds."),
        sa.Column("schema_hash", text, nullable=False, comment="Hash of how the table looks."),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Its rows."),
        sa.Column("sums", text, nullable=False, comment="The sum of each numeric column, as JSON of exact text."),
        sa.Column("version", sa.BigInteger(), nullable=True, comment="The signed version, where that is delivered."),
        sa.Column(
            "delivered_at",
            sa.DateTime(timezone=True).with_variant(mssql.DATETIMEOFFSET(6), "mssql"),
            nullable=False,
            comment="When it was brought.",
        ),
        schema=schema,
        comment="What Revenue Integrity delivered into this schema, a row per dataset and month.",
    )


def found_columns(connection: Connection, schema: str, name: str) -> Mapping[str, Any] | None:
    """Return the columns of a table by their names, as the database describes them; ``None`` if there is no such table."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(name, schema=schema):
        return None
    return {each["name"]: each for each in inspector.get_columns(name, schema=schema)}


def ensure(connection: Connection, schema: str, shape: Shape) -> None:
    """Make the table of a shape, or what it lacks of it, in the caller's transaction.

    Where the table or a column of it was not there, nothing of the dataset is on record any more: all of its months are due.

    Raises:
        DeliveryError: a column has another type there, the key is another one, or a column of somebody else must be filled.
    """
    table = table_of(shape, schema)
    found = found_columns(connection, schema, shape.dataset)
    if found is None:
        table.create(connection)
        for index in indexes_of(shape, table):
            index.create(connection)
        _forget(connection, schema, shape)
        return
    _refuse_others(connection, schema, shape, found)
    for column in shape.columns:
        if column.name not in found:
            ddl = CreateColumn(_column(column)).compile(dialect=connection.dialect)
            target = connection.dialect.identifier_preparer.format_table(table)
            verb = "add" if connection.dialect.name == "mssql" else "add column"
            # A colon in a name is theirs, and begins no parameter.
            connection.execute(sa.text(f"alter table {target} {verb} {ddl}".replace(":", "\\:")))
    if not set(shape.names) <= set(found):
        _forget(connection, schema, shape)
    inspector = sa.inspect(connection)
    present = [tuple(each["column_names"]) for each in inspector.get_indexes(shape.dataset, schema=schema)]
    for index in indexes_of(shape, table):
        if tuple(column.name for column in index.columns) not in present:
            index.create(connection)
    _comment(connection, schema, shape, table)


def _forget(connection: Connection, schema: str, shape: Shape) -> None:
    record = record_table(schema)
    connection.execute(record.delete().where(record.c.dataset == shape.dataset))


def _refuse_others(connection: Connection, schema: str, shape: Shape, found: Mapping[str, Any]) -> None:
    where, step = f"the table {schema}.{shape.dataset}", f"Nothing was changed: `deliver --rebuild {shape.dataset}` makes it anew"
    for column in shape.columns:
        if column.name not in found:
            if column.in_key:
                raise DeliveryError(f"{where} has no column {column.name}, which its key needs", step)
            continue
        wanted, present = (
            _COLLATION.sub("", each.compile(dialect=connection.dialect)).upper()
            for each in (sql_type(column), found[column.name]["type"])
        )
        if wanted != present:
            raise DeliveryError(f"{where} has the column {column.name} as {present}, and it should be {wanted}", step)
    key = tuple(sa.inspect(connection).get_pk_constraint(shape.dataset, schema=schema)["constrained_columns"])
    if set(key) != set(shape.key):
        named = [", ".join(each) or "none" for each in (key, shape.key)]
        raise DeliveryError(f"{where} has the key {named[0]}, and it should be {named[1]}", step)
    for name, column_there in found.items():
        is_free = column_there["nullable"] or column_there.get("default") is not None or column_there.get("computed")
        if name not in shape.names and not is_free and not column_there.get("identity"):
            raise DeliveryError(
                f"{where} has a column {name} that is not ours and must be filled",
                "Let it be null, give it a default, or take it away",
            )


def _comment(connection: Connection, schema: str, shape: Shape, table: sa.Table) -> None:
    """Renew what the table and its columns say of themselves, where the words are others."""
    inspector = sa.inspect(connection)
    if inspector.get_table_comment(shape.dataset, schema=schema)["text"] != shape.description:
        connection.execute(SetTableComment(table))
    found = {each["name"]: each.get("comment") for each in inspector.get_columns(shape.dataset, schema=schema)}
    for column in shape.columns:
        if (found.get(column.name) or "") != column.description:
            connection.execute(SetColumnComment(table.c[column.name]))
