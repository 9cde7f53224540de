"""The IO manager: an asset's month to and from the warehouse, over the official extension points of dagster-duckdb.

Belongs here: one transaction around a write and its record, typed reading. Does not belong here: what is computed or
judged. The stock manager inserts by position, deletes and inserts apart, infers types and leaks its connection on failure;
what replaces each of these is in ``storage`` and ``database``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, cast

import dagster as dg
import duckdb
import pandas as pd
from dagster._core.storage.db_io_manager import DbIOManager, DbTypeHandler, TableSlice
from dagster_duckdb.io_manager import DuckDbClient

from revenue_integrity.computing.table_month import Computed, Unchanged, replace_month
from revenue_integrity.errors import WarehouseError
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database
from revenue_integrity.warehouse.storage import Written, read_partitions


class WarehouseClient(DuckDbClient):
    """Connections with bounded patience that are always closed, and no deletion outside the write's transaction."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @contextmanager
    def connect(self, context: Any, _: TableSlice) -> Iterator[duckdb.DuckDBPyConnection]:  # type: ignore[override]  # the base is static and knows no settings
        """Open the warehouse."""
        with database.connect(self.settings) as connection:
            yield connection

    @staticmethod
    def delete_table_slice(context: dg.OutputContext, table_slice: TableSlice, connection: Any) -> None:
        """Delete nothing: replacing a partition is one transaction of the type handler."""

    @staticmethod
    def ensure_schema_exists(context: dg.OutputContext, table_slice: TableSlice, connection: Any) -> None:
        """Do nothing: schema and table are made from the declaration, inside the transaction."""


class PartitionHandler(DbTypeHandler[Any]):
    """Writes and reads one month of a declared table."""

    def __init__(self, settings: Settings, tables: Mapping[tuple[str, ...], Table]) -> None:
        self._settings = settings
        self._tables = tables

    @property
    def supported_types(self) -> Sequence[type[object]]:
        """What assets hand over, and what they get."""
        return [Computed, Unchanged, pd.DataFrame]

    def handle_output(
        self, context: dg.OutputContext, table_slice: TableSlice, obj: Any, connection: duckdb.DuckDBPyConnection
    ) -> Mapping[str, Any]:
        """Replace the month and put it on record, in one transaction; nothing of a failed write stays."""
        table = self._tables[tuple(context.asset_key.path)]
        month = _single_month(context)
        if isinstance(obj, Computed):
            written = replace_month(connection, self._settings, table, month, obj)
            catalog.refresh(connection, self._settings, month)
            state = "computed"
        else:
            written = Written(obj.rows, obj.content_hash)
            state = "unchanged"
        # The content hash is known only after the write; the step's cache is where Dagster looks for it.
        cast("Any", context.step_context).set_data_version(context.asset_key, dg.DataVersion(written.content_hash))
        return {"dagster/partition_row_count": written.rows, "content_hash": written.content_hash, "state": state}

    def load_input(
        self, context: dg.InputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection
    ) -> pd.DataFrame:
        """Read the months that the input's mapping names, with the dtypes of the declaration: of its columns or of all."""
        table = self._tables[tuple(context.asset_key.path)]
        partitions = [_first_day(key) for key in sorted(context.asset_partition_keys)]
        return read_partitions(connection, table, partitions, table_slice.columns or ())


def _first_day(key: str) -> date:
    return date.fromisoformat(f"{key[:7]}-01")


def _single_month(context: dg.OutputContext) -> date:
    keys = context.asset_partition_keys
    if len(keys) != 1:
        raise WarehouseError(f"a run covers one month, not {len(keys)}", "Launch one run per month (no backfill policy)")
    return _first_day(keys[0])


class WarehouseIOManager(DbIOManager):
    """The one IO manager of all tables."""

    def __init__(self, settings: Settings, tables: Mapping[tuple[str, ...], Table]) -> None:
        super().__init__(
            type_handlers=[PartitionHandler(settings, tables)],
            db_client=WarehouseClient(settings),
            database=str(settings.warehouse_path),
            io_manager_name="WarehouseIOManager",
            default_load_type=pd.DataFrame,
        )
