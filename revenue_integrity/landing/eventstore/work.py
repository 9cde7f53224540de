"""One ingestion of one event log: the connection, what is declared, and the phrases that all its SQL is made of.

Belongs here: what the steps of the store share. Does not belong here: any step.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.events import Delivery, EventLog, Events
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings


def events_of(source: Source) -> Events:
    """Return how a source fills its event log; only for sources that are kept in files."""
    if source.events is None:
        raise ValueError(f"source {source.name} is not kept in files")
    return source.events


def columns(names: Iterable[str], alias: str = "") -> str:
    """Return columns as SQL lists them, of a relation if one is named."""
    before = f"{alias}." if alias else ""
    return ", ".join(f"{before}{name(each)}" for each in names)


def same(left: str, right: str, names: Iterable[str]) -> str:
    """Return the condition that two relations have the same values in some columns that are never null."""
    return " and ".join(f"{left}.{name(each)} = {right}.{name(each)}" for each in names) or "true"


class LogWork:
    """What the steps of one ingestion of a log work on.

    Attributes:
        connection: the warehouse.
        log: the log.
        sources: the sources that fill it, by name.
        settings: the deployment's.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, log: EventLog, sources: Sequence[Source], settings: Settings
    ) -> None:
        self.connection = connection
        self.log = log
        self.sources = {source.name: source for source in sources}
        self.settings = settings

    def execute(self, sql: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        """Run a statement."""
        return self.connection.execute(sql, parameters or None)

    def rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.execute(sql, **parameters).fetchall()

    def table(self, called: str) -> str:
        """Return the qualified name of one of the log's tables."""
        return f"{self.log.schema}.{called}"

    @property
    def day(self) -> str:
        """The log's day, as SQL names it."""
        return name(self.log.day)

    def month_of(self, alias: str) -> str:
        """Return SQL for the month of the day of a relation."""
        return f"date_trunc('month', {alias}.{self.day})::DATE"

    @property
    def of_day(self) -> tuple[str, ...]:
        """The columns by which the rows of a file are added up, beside its scope."""
        return (self.log.day, *self.log.apart)

    def delivering(self, *deliveries: Delivery) -> str:
        """Return the names of the sources that deliver in some way, as SQL lists them."""
        found = [each for each, source in sorted(self.sources.items()) if events_of(source).delivery in deliveries]
        return ", ".join(map(quote, found)) or "''"

    def beyond(self, day: str, arrival: str) -> str:
        """Return the condition that a day lies farther before an arrival than may change by itself."""
        if not self.log.lookback:
            return "false"
        return f"{day} < ({arrival} - INTERVAL {int(getattr(self.settings, self.log.lookback))} DAY)::DATE"
