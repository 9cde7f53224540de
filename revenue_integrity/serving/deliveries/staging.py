"""Staging tables: rows that cannot be brought inside of the transaction that makes them count wait in one of their own.

Belongs here: making, naming and dropping them. Does not belong here: what reads them (``delivering``, ``rebuilding``).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity import clock
from revenue_integrity.serving.deliveries import tables
from revenue_integrity.serving.deliveries.database import Database
from revenue_integrity.serving.deliveries.shape import Shape

_STAGING = "_ri_"
_STAGING_AGE = timedelta(days=1)
"""A staging table that is older was left by a process that died."""


def drop_old(connection: Connection, database: Database) -> None:
    """Drop those that a process left behind that died, in the caller's transaction."""
    for name in sa.inspect(connection).get_table_names(schema=database.schema):
        if name.startswith(_STAGING) and clock.now() - _made_at(name) > _STAGING_AGE:
            sa.Table(name, sa.MetaData(), schema=database.schema).drop(connection)


def new_name() -> str:
    """Return a name that no other table has, and that tells when it was given."""
    return f"{_STAGING}{clock.now():%Y%m%dT%H%M%S}_{secrets.token_hex(6)}"


def _made_at(name: str) -> datetime:
    try:
        return datetime.strptime(name[len(_STAGING) :].partition("_")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        # It is called alike, and nobody of ours made it.
        return clock.now()


@contextmanager
def staged(database: Database, shape: Shape, rows: duckdb.DuckDBPyRelation, doing: str) -> Iterator[sa.Table | None]:
    """Yield a table of its own with the rows in it, where they cannot be brought inside of the transaction that reads it."""
    if not database.kind.staged:
        yield None
        return
    staging = tables.table_of(shape, database.schema, new_name(), with_key=False)
    with database.transaction(doing) as connection:
        staging.create(connection)
    try:
        with database.transaction(doing) as connection:
            database.kind.fill(connection, staging, shape, rows)
        yield staging
    finally:
        with database.transaction(doing) as connection:
            staging.drop(connection, checkfirst=True)
