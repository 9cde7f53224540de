"""How a table is made: the rule, what it reads, and the settings that it rests on.

Belongs here: the declaration of a rule, from which orchestration makes an asset with an exact fingerprint. Does not belong
here: any rule, Dagster, a database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from revenue_integrity.model.query import Query, Sql
from revenue_integrity.model.stage import Stage
from revenue_integrity.model.table import Table


@dataclass(frozen=True)
class Reads:
    """What a rule reads of one table, as months beside its own.

    Attributes:
        layer: the schema of the table; ``raw`` means slices of the ingestion store.
        table: the table's name, or the name of a slice of the store (``meter_starts``).
        first_offset: the first month read, relative to the rule's month; ``None`` means all that there are.
        last_offset: the last month read, relative to the rule's month.
        by_day: whether the days of the month are read one by one, so that a day that changed is all that is computed again.
        sources: for a slice that has no table of its name, the sources that it is made from.
        columns: for a rule over frames, the columns that its frame holds; empty for all.
        before_deployment: whether the months before the deployment's first are read instead.
    """

    layer: str
    table: str
    first_offset: int | None = 0
    last_offset: int = 0
    by_day: bool = False
    sources: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    before_deployment: bool = False

    @property
    def qualified(self) -> str:
        """Schema and name."""
        return f"{self.layer}.{self.table}"

    @property
    def covers_own_month(self) -> bool:
        """Whether the rule's own month is among the months read."""
        return (self.first_offset is None or self.first_offset <= 0) and self.last_offset >= 0

    @property
    def is_same_month(self) -> bool:
        """Whether only the rule's own month is read."""
        return self.first_offset == 0 and self.last_offset == 0


def same_month(layer: str, table: str, *, columns: tuple[str, ...] = ()) -> Reads:
    """Read a table's rows of the rule's own month, of a wide table only what a rule over frames looks at."""
    return Reads(layer, table, columns=columns)


def days_of(layer: str, table: str, *sources: str) -> Reads:
    """Read a table's rows of the rule's own month, day by day; of a slice of the store, name the sources behind it."""
    return Reads(layer, table, by_day=True, sources=sources)


def window(layer: str, table: str, *, months_before: int = 0, months_after: int = 0, columns: tuple[str, ...] = ()) -> Reads:
    """Read a table's rows from some months before to some months after, of a wide table only what a rule looks at."""
    return Reads(layer, table, -months_before, months_after, columns=columns)


def raw(source: str) -> Reads:
    """Read a source's rows that matter to the rule's month."""
    return Reads("raw", source)


def raw_before(source: str, months_before: int | None = 1) -> Reads:
    """Read a source's rows of some months before the rule's month (``None``: of all of them)."""
    return Reads("raw", source, None if months_before is None else -months_before, -1)


def all_of(layer: str, table: str) -> Reads:
    """Read all rows of a table, whatever their month: for a table that belongs to none."""
    return Reads(layer, table, None)


def history(source: str) -> Reads:
    """Read a source's rows of the months before the deployment, from which balances are carried into its first month."""
    return Reads("raw", source, before_deployment=True)


@dataclass(frozen=True)
class Rule:
    """How one table is made.

    Attributes:
        table: what it makes.
        function: the pure rule: ``(month, settings) -> Query`` at event and daily grain, or
            ``(month, settings, <table>=frame, ...) -> DataFrame`` at statement grain.
        reads: everything that it reads.
        settings: names of the settings that it uses.
        sql: the text that it runs: paths below the stream's ``sql`` folder, or SQL that another room wrote out for it.
        queries: for a rule over frames that needs a small part of large tables: the queries, by name, whose rows are its
            frames instead of whole tables.
        stage: for a stage that an engine runs over days: what its query reads. The table is kept in slices.
    """

    table: Table
    function: Callable[..., Any]
    reads: tuple[Reads, ...]
    settings: tuple[str, ...] = ()
    sql: tuple[str | Sql, ...] = ()
    queries: Callable[[date, Any], Mapping[str, Query]] | None = None
    stage: Stage | None = None

    @property
    def is_query(self) -> bool:
        """Whether the rule is a query that the engine runs, so that no rows enter Python."""
        return (bool(self.sql) or self.stage is not None) and self.queries is None
