"""Dagster's event log in SQLite, without opening the database anew for every statement.

Belongs here: keeping engines and their connections, a new run's empty log. Does not belong here: what is stored, which Dagster
decides.

A month's run makes some thousand statements. Dagster builds an engine and opens a file for each, so that each statement is
compiled again and each commit makes and removes a write-ahead log; it works out the tables of each run's log from its
migrations, and asks for each event of an asset or a check which tables and columns the index has. Keeping the engine and the
connection of the index and of the runs in hand, and copying an empty log, took a small run with its imports from 11.5 to
between 9 and 10 CPU seconds; remembering the tables took a quarter from what it costs to store events. Dagster's version is
pinned, and a test compares what is stored with what Dagster's own class reads.
"""

import os
import shutil
import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    SqliteEventLogStorage,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.event import listen
from sqlalchemy.pool import QueuePool

_ENGINES_KEPT = 4
"""The index, the run in hand, and those that the UI shows beside it."""


class KeptEngineEventLogStorage(SqliteEventLogStorage):
    """Event log in SQLite that keeps its engines, each with its connection."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, tuple[Engine, int]] = OrderedDict()
        self._tables: set[str] = set()
        self._asset_columns: set[str] = set()
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
        if engine is None or inode != inode_of(file):
            # Another process may have removed the file, and what is written to a removed file is lost.
            self._let_go(shard)
            engine = kept_engine(self.conn_string_for_shard(shard))
            if inode_of(file) or not self._copy_empty(file):
                self._initdb(engine)
                if shard != INDEX_SHARD_NAME:
                    self._keep_empty(engine)
            self._engines[shard] = (engine, inode_of(file))
        self._engines.move_to_end(shard)
        while len(self._engines) > _ENGINES_KEPT:
            self._let_go(next(iter(self._engines)))
        return engine

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        super()._initdb(engine, for_index_shard)
        if for_index_shard:
            # A new index has the tables of a run's log, and nothing in them yet.
            self._keep_empty(engine)

    def _let_go(self, shard: str) -> None:
        if shard in self._engines:
            self._engines.pop(shard)[0].dispose()

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; a migration adds some, and none takes one away."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        # As for tables: it is asked for every event of an asset.
        if column_name not in self._asset_columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._asset_columns.add(column_name)
        return column_name in self._asset_columns

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and let know who watches its run."""
        super().store_event(event)
        # The web server watches the file, which changes only now and then while its write-ahead log is kept.
        with suppress(FileNotFoundError):
            os.utime(self.path_for_shard(event.run_id))

    @property
    def _empty(self) -> Path:
        # Its name does not end as those of shards do, and another version of Dagster may have other tables.
        return Path(self._base_dir, f"empty-{dg.__version__}.log")

    def _copy_empty(self, file: Path) -> bool:
        """Make a new run's log from the empty one; return whether there is one."""
        if not self._empty.exists():
            return False
        with tempfile.TemporaryDirectory(dir=self._base_dir) as scratch:
            copied = Path(shutil.copyfile(self._empty, Path(scratch, "copied")))
            try:
                os.link(copied, file)
            except FileExistsError:
                # Another process has made it meanwhile, and that one is used.
                pass
            except OSError:
                # A file system without links.
                copied.replace(file)
        return True

    def _keep_empty(self, engine: Engine) -> None:
        """Keep a database that has just been made as the empty log, if there is none."""
        if self._empty.exists():
            return
        with tempfile.TemporaryDirectory(dir=self._base_dir) as scratch:
            kept = Path(scratch, "kept")
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                if connection.execute(text("select count(*) from event_logs")).scalar():
                    return
                connection.execute(text("vacuum into :file"), {"file": str(kept)})
            with closing(sqlite3.connect(kept)) as copied:
                copied.execute("pragma journal_mode = wal")
            kept.replace(self._empty)

    def dispose(self) -> None:
        """Close what is open."""
        for shard in list(self._engines):
            self._let_go(shard)
        super().dispose()


def kept_engine(connection_string: str) -> Engine:
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


def inode_of(file: Path) -> int:
    """Return which file stands at a path; 0 for none."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0
