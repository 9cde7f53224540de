"""A stage: what is computed over files of events, day by day, on either engine.

Belongs here: what a stage reads. Does not belong here: running it (``warehouse.engine``), any stage (each stream).

The SQL of a stage and its views stand in a subset that both engines understand alike (``warehouse.portable``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from revenue_integrity.settings import Settings

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class ScannedFile:
    """A Parquet file that a stage reads where it stands.

    Attributes:
        file_no: its number in the store.
        path: where it stands.
        projection: portable SQL of the columns that are read of it, each with its name (``cost as cost, …``).
    """

    file_no: int
    path: Path
    projection: str


@dataclass(frozen=True)
class StageInputs:
    """What a stage reads, by the names of its SQL.

    Attributes:
        scans: relations over Parquet files; their rows have ``file_no``, ``row_number`` (1 is the first of the file) and the
            columns of the projection. A scan of no file has no rows: its columns are those of ``empty``.
        empty: for each scan, the columns and types of a file's projection (portable SQL types).
        tables: relations that DuckDB makes from the warehouse: a select each; small, or of the grain of what comes out.
        views: portable SQL over the former, in order.
    """

    scans: Mapping[str, tuple[ScannedFile, ...]] = field(default_factory=dict)
    empty: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)


Stage = Callable[["duckdb.DuckDBPyConnection", Settings, Sequence[date]], StageInputs]
"""Tells what a stage reads for some days, given the warehouse."""
