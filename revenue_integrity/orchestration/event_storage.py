"""Dagster's event log in SQLite, without setting up the database layer anew for every statement.

Belongs here: keeping engines. Does not belong here: what is stored, which Dagster decides.

A month's run makes some thousand statements. Dagster builds an engine for each and so compiles each statement again; keeping
the engine of the index and of the runs in hand takes a sixth off the time of a run. Dagster's version is pinned, and a test
compares what is stored with what Dagster's own class reads.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SQLITE_BUSY_TIMEOUT_SECONDS, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

_ENGINES_KEPT = 4
"""The index, the run in hand, and those that the UI shows beside it."""


class KeptEngineEventLogStorage(SqliteEventLogStorage):
    """Event log in SQLite that keeps its engines; connections are opened and closed as Dagster does."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
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
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=NullPool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
        self._engines.move_to_end(shard)
        while len(self._engines) > _ENGINES_KEPT:
            self._engines.popitem(last=False)
        return self._engines[shard]
