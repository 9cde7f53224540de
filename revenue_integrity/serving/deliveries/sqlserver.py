"""What SQL Server alone knows: bulk copy into a staging table, application locks, its catalog of permissions.

Belongs here: its statements. Does not belong here: when they are given (``delivering``), tables (``tables``). Nothing here was
ever run against a real SQL Server: the statements are compiled and compared, and the flow is run on another database.
"""

import logging
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from revenue_integrity import logs
from revenue_integrity.serving.deliveries.kinds import Grant
from revenue_integrity.serving.deliveries.shape import Shape
from revenue_integrity.serving.deliveries.values import chunks

_ROWS_AT_ONCE = 20_000
"""Rows that a bulk copy sends at once: each is a Python tuple by then."""

_CHUNK_SECONDS = 300
"""How long one such chunk may take."""

_LOCK = """
declare @outcome int;
exec @outcome = sp_getapplock @Resource = :name, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = :wait;
select @outcome;
"""

_GRANTS = """
select o.name, p.name, x.permission_name
from sys.database_permissions x
join sys.objects o on o.object_id = x.major_id and x.class = 1
join sys.database_principals p on p.principal_id = x.grantee_principal_id
where schema_name(o.schema_id) = :schema and x.state in ('G', 'W')
"""


class LockedError(SQLAlchemyError):
    """Another delivery of the dataset was under way all the time that this one waited."""


class SqlServer:
    """SQL Server."""

    staged = True
    """Bulk copy has a connection of its own: it fills a staging table, which the transaction then reads."""

    def engine(self, url: URL) -> Engine:
        """Return an engine."""
        return sa.create_engine(url, hide_parameters=True)

    def lock(self, connection: Connection, name: str, key: int, wait_seconds: int) -> None:
        """Wait for the lock of a dataset, which ends with the transaction; no statement of it waits longer for anybody."""
        connection.execute(sa.text(f"set lock_timeout {wait_seconds * 1000}"))
        outcome = connection.execute(sa.text(_LOCK), {"name": name, "wait": wait_seconds * 1000}).scalar()
        if outcome is None or outcome < 0:
            raise LockedError(name)

    def is_locked(self, error: SQLAlchemyError) -> bool:
        """Return whether an error says that somebody else held a lock too long."""
        return isinstance(error, LockedError) or "Lock request time out" in str(error)

    def fill(self, connection: Connection, table: sa.Table, shape: Shape, rows: duckdb.DuckDBPyRelation) -> None:
        """Fill an empty table that nobody reads, chunk by chunk; where bulk copy fails, with inserts."""
        driver: Any = connection.connection.driver_connection
        target = connection.dialect.identifier_preparer.format_table(table)
        try:
            cursor = driver.cursor()
            for chunk in chunks(rows, _ROWS_AT_ONCE):
                cursor.bulkcopy(
                    target, chunk, timeout=_CHUNK_SECONDS, column_mappings=list(shape.names), keep_nulls=True, table_lock=True
                )
            return
        except Exception as error:  # whatever the driver lacks here, inserts reach the same
            logs.event("bulk_copy_failed", level=logging.WARNING, error=error)
        connection.execute(table.delete())
        inserted(connection, table, shape, rows)

    def grants(self, connection: Connection, schema: str) -> set[Grant]:
        """Return what principals may do with each object of a schema."""
        return {Grant(*found) for found in connection.execute(sa.text(_GRANTS), {"schema": schema})}

    def roles(self, connection: Connection) -> set[str]:
        """Return the principals of the database."""
        return set(connection.execute(sa.text("select name from sys.database_principals")).scalars())

    def may_look_into(self, connection: Connection, schema: str, role: str) -> bool:
        """Return that a role may use a schema: what it may read needs no more here."""
        return True

    def let_look_into(self, schema: str, role: str) -> str:
        """Return nothing: there is no such permission here."""
        return ""

    def rename(self, table: sa.Table, name: str, quote: Any) -> str:
        """Return the statement that gives a table another name."""
        full, bare = (each.replace("'", "''") for each in (quote.format_table(table), name))
        return f"exec sp_rename N'{full}', N'{bare}'"


def inserted(connection: Connection, table: sa.Table, shape: Shape, rows: duckdb.DuckDBPyRelation) -> None:
    """Insert rows with statements, some thousands at once."""
    for chunk in chunks(rows, _ROWS_AT_ONCE):
        connection.execute(table.insert(), [dict(zip(shape.names, each, strict=True)) for each in chunk])
