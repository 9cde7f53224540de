"""What runs a stage: the embedded DuckDB, or Spark, over the same inputs and the same SQL.

Belongs here: what a stage reads, and running it on DuckDB. Does not belong here: any stage (each stream), Spark (``spark``).

The SQL of a stage and its views stand in a subset that both engines understand alike (``portable``).
"""

from typing import Protocol

import duckdb

from revenue_integrity.model.query import Query
from revenue_integrity.model.stage import StageInputs
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.scanning import scan_sql


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


def engine_of(settings: Settings) -> Engine:
    """Return the engine that the settings name."""
    if settings.engine == "spark":
        # Spark is an optional extra, and heavy to import.
        from revenue_integrity.warehouse.spark import SparkEngine

        return SparkEngine(settings)
    return DuckDBEngine()
