"""What each kind of database must be able to do by itself.

Belongs here: the words that it is asked in. Does not belong here: how one does it (``postgres``, ``sqlserver``).
"""

from typing import Any, NamedTuple, Protocol

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from revenue_integrity.serving.deliveries.shape import Shape


class Grant(NamedTuple):
    """What a role may do with a table or view."""

    relation: str
    role: str
    privilege: str


class Kind(Protocol):
    """What one kind of database alone knows."""

    staged: bool

    def engine(self, url: URL) -> Engine:
        """Return an engine."""

    def lock(self, connection: Connection, name: str, key: int, wait_seconds: int) -> None:
        """Wait for the lock of a dataset, which ends with the transaction."""

    def is_locked(self, error: SQLAlchemyError) -> bool:
        """Return whether an error says that somebody else held a lock too long."""

    def fill(self, connection: Connection, table: sa.Table, shape: Shape, rows: duckdb.DuckDBPyRelation) -> None:
        """Bring rows into a table."""

    def grants(self, connection: Connection, schema: str) -> set[Grant]:
        """Return what others than its owner may do with each relation of a schema."""

    def roles(self, connection: Connection) -> set[str]:
        """Return the roles that there are."""

    def may_look_into(self, connection: Connection, schema: str, role: str) -> bool:
        """Return whether a role may use a schema."""

    def let_look_into(self, schema: str, role: str) -> str:
        """Return the statement that lets a role use a schema, empty where none is needed."""

    def rename(self, table: sa.Table, name: str, quote: Any) -> str:
        """Return the statement that gives a table another name."""
