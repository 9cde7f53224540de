"""Datasets that a stream has beside its tables: made whenever somebody asks, and stored nowhere.

Belongs here: the words in which a stream declares them. Does not belong here: any of them (each stream's), reading and writing
them for people (``serving``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from revenue_integrity.model.rule import Reads
from revenue_integrity.model.table import Table

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from revenue_integrity.settings import Settings


@dataclass(frozen=True)
class Composed:
    """A dataset that is put together from tables of the stream, as they are published or stand in a warehouse.

    It has tenants if the tables have that it is made from.

    Attributes:
        table: what it is.
        function: the pure rule: ``(settings, <table>=frame, ...) -> DataFrame``.
        reads: the tables that it is made from.
        if_published: tables that it does without where nothing of them is published; its frame is ``None`` then.
        settings: names of the settings that it uses.
    """

    table: Table
    function: "Callable[..., pd.DataFrame]"
    reads: tuple[Table, ...]
    if_published: tuple[Table, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Streamed:
    """A dataset by the million, read batch by batch from where the stream keeps its rows; it is published nowhere.

    Attributes:
        table: what it is.
        relation: ``(connection, settings, months, tenant)`` to its rows in key order, of one tenant or of all.
        reads: what of the store tells that its rows are others.
    """

    table: Table
    relation: "Callable[[duckdb.DuckDBPyConnection, Settings, Sequence[date], str | None], duckdb.DuckDBPyRelation]"
    reads: tuple[Reads, ...]
