"""Dagster's event log in SQLite, without opening the database anew for every statement.

Belongs here: keeping engines and their connections. Does not belong here: what is stored, which Dagster decides.

A month's run makes some thousand statements. Dagster builds an engine and opens a file for each, so that each statement is
compiled again and each commit makes and removes a write-ahead log. The only part of Dagster that is replaced, for without it
`make run` takes half as much again (docs/decisions/0013). Dagster's version is pinned, and a test compares what is stored with
what Dagster's own class reads.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    SqliteEventLogStorage,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.pool import QueuePool

_ENGINES_KEPT = 4
"""The index, the run in hand, and those that the UI shows beside it."""


class KeptEngineEventLogStorage(SqliteEventLogStorage):
    """Event log in SQLite that keeps its engines, each with its connection."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, tuple[Engine, int]] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return that there is nothing to configure: a home that was moved is found again."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "KeptEngineEventLogStorage":
        """Return the storage in the Dagster home, where Dagster's own class would have it too."""
        return cls(str(Path(os.environ["DAGSTER_HOME"], "history", "runs")), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # Under the lock for as long as it is used: one connection serves all threads, one after the other.
        with self._db_lock:
            engine = self._engine(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        """Return the engine of a shard, which exists and has its tables."""
        file = Path(self.path_for_shard(shard))
        engine, inode = self._engines.get(shard, (None, 0))
        if engine is None or inode != _inode_of(file):
            # Another process may have removed the file, and what is written to a removed file is lost.
            self._let_go(shard)
            engine = _kept_engine(self.conn_string_for_shard(shard))
            self._initdb(engine)
            self._engines[shard] = (engine, _inode_of(file))
        self._engines.move_to_end(shard)
        while len(self._engines) > _ENGINES_KEPT:
            self._let_go(next(iter(self._engines)))
        return engine

    def _let_go(self, shard: str) -> None:
        if shard in self._engines:
            self._engines.pop(shard)[0].dispose()

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and let know who watches its run."""
        super().store_event(event)
        # The web server watches the file, which changes only now and then while its write-ahead log is kept.
        with suppress(FileNotFoundError):
            os.utime(self.path_for_shard(event.run_id))

    def dispose(self) -> None:
        """Close what is open."""
        for shard in list(self._engines):
            self._let_go(shard)
        super().dispose()


def _kept_engine(connection_string: str) -> Engine:
    """Return an engine that keeps a connection, for whichever thread needs it next."""
    engine = create_engine(
        connection_string,
        poolclass=QueuePool,
        pool_size=1,
        # Threads at the same time get a connection each, as they would from Dagster's own engines.
        max_overflow=-1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    listen(engine, "connect", _wait_for_no_disk)
    return engine


def _wait_for_no_disk(connection: Any, _: Any) -> None:
    # With a write-ahead log a power cut then takes the last events with it, and breaks nothing: what was computed is on record
    # in the warehouse, in the transaction that wrote it.
    connection.execute("pragma synchronous = normal")


def _inode_of(file: Path) -> int:
    """Return which file stands at a path; 0 for none."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0
