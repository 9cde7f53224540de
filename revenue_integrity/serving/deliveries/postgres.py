"""What PostgreSQL alone knows: COPY, locks that end with a transaction, grants.

Belongs here: its statements. Does not belong here: when they are given (``delivering``), tables (``tables``).
"""

from collections.abc import Iterator
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from revenue_integrity.databases import CONNECT_SECONDS
from revenue_integrity.serving.deliveries.kinds import Grant
from revenue_integrity.serving.deliveries.shape import Column, Shape
from revenue_integrity.warehouse.hashing import escaped, text_of

_ROWS_AT_ONCE = 50_000
"""Rows whose text is in memory at once."""

_GRANTS = """
select c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute t cross join lateral aclexplode(t.attacl) x where t.attrelid = c.oid
) a
left join pg_roles r on r.oid = a.grantee
where n.nspname = :schema and a.grantee <> c.relowner
"""


class Postgres:
    """PostgreSQL."""

    staged = False
    """Rows go straight into their table, in the transaction that replaces the month."""

    def engine(self, url: URL) -> Engine:
        """Return an engine whose sessions think in UTC and UTF-8."""
        arguments = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "revenue-integrity",
            "client_encoding": "utf8",
            "options": "-c timezone=UTC -c datestyle=ISO",
        }
        return sa.create_engine(url, hide_parameters=True, connect_args=arguments)

    def lock(self, connection: Connection, name: str, key: int, wait_seconds: int) -> None:
        """Wait for the lock of a dataset, which ends with the transaction; no statement of it waits longer for anybody."""
        connection.execute(sa.text(f"set local lock_timeout = {max(1, wait_seconds * 1000)}"))
        connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": key})

    def is_locked(self, error: sa.exc.SQLAlchemyError) -> bool:
        """Return whether an error says that somebody else held a lock too long."""
        return getattr(getattr(error, "orig", None), "sqlstate", "") == "55P03"

    def fill(self, connection: Connection, table: sa.Table, shape: Shape, rows: duckdb.DuckDBPyRelation) -> None:
        """Copy rows into a table, in the caller's transaction."""
        quote = connection.dialect.identifier_preparer
        names = ", ".join(quote.quote(name) for name in shape.names)
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"copy {quote.format_table(table)} ({names}) from stdin") as copy:
            for text in _lines(shape, rows):
                copy.write(text)

    def grants(self, connection: Connection, schema: str) -> set[Grant]:
        """Return what others than its owner may do with each relation of a schema."""
        return {Grant(*found) for found in connection.execute(sa.text(_GRANTS), {"schema": schema})}

    def roles(self, connection: Connection) -> set[str]:
        """Return the roles of the server."""
        return set(connection.execute(sa.text("select rolname from pg_roles")).scalars())

    def may_look_into(self, connection: Connection, schema: str, role: str) -> bool:
        """Return whether a role may use a schema."""
        asked = sa.text("select has_schema_privilege(:role, :schema, 'usage')")
        return bool(connection.execute(asked, {"role": role, "schema": schema}).scalar())

    def let_look_into(self, schema: str, role: str) -> str:
        """Return the statement that lets a role use a schema; both are quoted."""
        return f"grant usage on schema {schema} to {role}"

    def rename(self, table: sa.Table, name: str, quote: Any) -> str:
        """Return the statement that gives a table another name."""
        return f"alter table {quote.format_table(table)} rename to {quote.quote(name)}"


def _lines(shape: Shape, rows: duckdb.DuckDBPyRelation) -> Iterator[Any]:
    """Yield rows in the text format of COPY; they stay in the engine, and only their text passes by."""
    fields = ", chr(9), ".join(_field(each) for each in shape.columns)
    for batch in rows.project(f"concat({fields}, chr(10)) as line").to_arrow_reader(_ROWS_AT_ONCE):
        if len(batch):
            yield text_of(batch.column(0))


def _field(column: Column) -> str:
    quoted = f'"{column.name}"'
    text = escaped(quoted) if column.kind in ("text", "key_text") else f"{quoted}::varchar"
    return f"coalesce({text}, '\\N')"
