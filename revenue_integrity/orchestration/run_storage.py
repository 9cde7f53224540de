"""Dagster's runs in SQLite, without opening the database anew for every statement.

Belongs here: keeping the engine and its connection. Does not belong here: what is stored, which Dagster decides.

A run reads and writes its record some forty times. Dagster opens the file for each and, as nobody else holds it, writes the
write-ahead log back and removes it each time, as it did with events (``event_storage``).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url

from revenue_integrity.orchestration.event_storage import inode_of, kept_engine


class KeptEngineRunStorage(SqliteRunStorage):
    """Runs in SQLite, with an engine that is kept with its connection."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._file = Path(make_url(conn_string).database or "")
        self._lock = Lock()
        self._kept: tuple[Engine, int] | None = None
        super().__init__(conn_string, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return that there is nothing to configure: a home that was moved is found again."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "KeptEngineRunStorage":
        """Return the storage in the Dagster home, where Dagster's own class would have it too."""
        return cls.from_local(str(Path(os.environ["DAGSTER_HOME"], "history")), inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a transaction."""
        with self._engine().connect() as connection, connection.begin():
            yield connection

    def _engine(self) -> Engine:
        with self._lock:
            inode = inode_of(self._file)
            if self._kept is None or self._kept[1] != inode:
                # Another process may have replaced the file, and what is written to a removed file is lost.
                self._let_go()
                self._kept = kept_engine(self._conn_string), inode
            return self._kept[0]

    def _let_go(self) -> None:
        if self._kept is not None:
            self._kept[0].dispose()
            self._kept = None

    def dispose(self) -> None:
        """Close what is open."""
        with self._lock:
            self._let_go()
        super().dispose()
