"""What runs a stage: the embedded DuckDB, or Spark, over the same inputs and the same SQL.

Belongs here: what a stage reads, and running it on DuckDB. Does not belong here: any stage (each stream), Spark (``spark``).

The SQL of a stage and its views stand in a subset that both engines understand alike (``portable``).
"""

from collections.abc import Mapping
from typing import Protocol

import duckdb

from revenue_integrity.model.query import Query
from revenue_integrity.model.stage import ScannedFile, StageInputs
from revenue_integrity.settings import Settings


class Engine(Protocol):
    """Runs a stage."""

    def run(self, connection: duckdb.DuckDBPyConnection, sql: str, inputs: StageInputs) -> Query:
        """Return a query on ``connection`` that gives the rows of the stage; it holds until the connection is closed."""
        ...


class DuckDBEngine:
    """Runs stages inside the warehouse's own engine: nothing is computed before its rows are asked for."""

    def run(self, connection: duckdb.DuckDBPyConnection, sql: str, inputs: StageInputs) -> Query:
        """Return the stage as a query over temporary views."""
        for name, files in inputs.scans.items():
            connection.execute(f"create or replace temp view {name} as {scan_sql(files, inputs.empty[name])}")
        for name, select in [*inputs.tables.items(), *inputs.views.items()]:
            connection.execute(f"create or replace temp view {name} as {select}")
        return Query(sql)


def scan_sql(files: tuple[ScannedFile, ...], empty: Mapping[str, str]) -> str:
    """Return DuckDB SQL for the rows of some files."""
    if not files:
        columns = ", ".join(f"cast(null as {sql_type}) as {name}" for name, sql_type in empty.items())
        return f"select cast(null as bigint) as file_no, cast(null as bigint) as row_number, {columns} where false"
    by_projection: dict[str, list[ScannedFile]] = {}
    for file in files:
        by_projection.setdefault(file.projection, []).append(file)
    return " union all ".join(_scan_alike(alike) for alike in by_projection.values())


def _scan_alike(files: list[ScannedFile]) -> str:
    """Read files of one projection with one call: thousands of small files then cost what a few large ones do."""
    paths = ", ".join("'" + str(file.path).replace("'", "''") + "'" for file in files)
    numbers = ", ".join(str(file.file_no) for file in files)
    number = f"({files[0].file_no})::bigint" if len(files) == 1 else f"([{numbers}]::bigint[])[(file_index + 1)::bigint]"
    return (
        f"select {number} as file_no, file_row_number + 1 as row_number, {files[0].projection}"
        # By name: without it the types of the first file are those of all, and the places of a cost are rounded away in silence.
        f" from read_parquet([{paths}], file_row_number = true, union_by_name = true, hive_partitioning = false)"
    )


def engine_of(settings: Settings) -> Engine:
    """Return the engine that the settings name."""
    if settings.engine == "spark":
        # Spark is an optional extra, and heavy to import.
        from revenue_integrity.warehouse.spark import SparkEngine

        return SparkEngine(settings)
    return DuckDBEngine()
