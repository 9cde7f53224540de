"""Rows that come by the million: what must be declared of them so that they stay in files and are still counted by day.

Belongs here: the vocabulary of event logs, and what follows from a declaration alone (names of tables and slices, types, the
order of versions). Does not belong here: keeping files (``landing.eventstore``), any stream's logs.

An **event log** is one set of columns that one or more sources of a stream fill. Its rows never enter a table: in the warehouse
stand sums by file and day, and the versions of the few events that have several. Everything of a log has its own place, named
after stream and log, so no two logs ever meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from revenue_integrity.model.source import SourceColumn, Versions

Delivery = Literal["append_events", "overwrite_scope", "append_rows"]
"""How deliveries of a source relate: events of which the latest version by key counts; exports that each replace everything
earlier of their scope; rows that are added to what stands of a scope."""

MARKS = ("is_duplicate", "is_correction", "is_conflict", "is_moved")
"""What a version is among those of its event: the same as the one before it; another one than before; another one although
nothing but the order of arrival tells which is the later; one of several days."""

PREFERENCE = "preference"
"""Column of a version by which a log prefers one to another, whatever came later."""


@dataclass(frozen=True)
class Breakdown:
    """Sums of a log's measures by some of its columns: a month asks for them more often than for its rows.

    Attributes:
        name: its name, unique in the log.
        by: the columns of the log that it is broken down by; a source that lacks one of them takes no part.
        month: the one of them that says which month the sums belong to (a first day of a month).
    """

    name: str
    by: tuple[str, ...]
    month: str


@dataclass(frozen=True)
class EventLog:
    """Rows of days, kept in files: one set of columns for all sources that fill it.

    Columns in none of the roles below are carried along: all versions of an event have the same.

    Attributes:
        stream: the line of business data.
        name: its name, unique in the stream.
        columns: the columns of a row, in order; the one definition of their names, types and units.
        day: the column that says to which day a row belongs, a slice of its month.
        key: the columns that name an event, whatever its version; rows that have no id are told by file and row.
        apart: the columns by which the rows of a day are kept apart (``tenant_id``): the sums of a day are by them.
        versions: the order of the versions of an event, and which one is preferred.
        ends: a flag that ends the event with that version (a tombstone); empty where events are never withdrawn.
        measures: the columns that are added up by day.
        attributes: the columns that tell versions apart beside day, order, measures and the flag.
        scope: the column that says what a delivery replaces; empty where none does.
        breakdowns: sums of the measures by other columns.
        lookback: the setting that says how many days before its arrival a batch may still change by itself; empty: all.
    """

    stream: str
    name: str
    columns: tuple[SourceColumn, ...]
    day: str
    measures: tuple[str, ...]
    key: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    versions: Versions = field(default_factory=Versions)
    ends: str = ""
    attributes: tuple[str, ...] = ()
    scope: str = ""
    breakdowns: tuple[Breakdown, ...] = ()
    lookback: str = ""

    def __post_init__(self) -> None:
        used = {*self.version_columns, *([self.scope] if self.scope else [])}
        used |= {column for each in self.breakdowns for column in each.by}
        if missing := sorted(used - set(self.types)):
            raise ValueError(f"event log {self.schema}: {', '.join(missing)} is no column of it")
        if any(each.month not in each.by for each in self.breakdowns):
            raise ValueError(f"event log {self.schema}: the month of a breakdown is one of its columns")

    @property
    def schema(self) -> str:
        """The schema of the warehouse in which its tables stand; its files and slices have the name, too."""
        return f"{self.stream}_{self.name}"

    @property
    def types(self) -> dict[str, str]:
        """The engine's type of each column, in order."""
        return {column.stored: column.sql_type for column in self.columns}

    @property
    def rows_slice(self) -> str:
        """The slice of a day's rows that count (``<slice>/<day>``)."""
        return self.schema

    @property
    def versions_slice(self) -> str:
        """The slice of a day's versions of events (``<slice>/<day>``)."""
        return f"{self.schema}_versions"

    def breakdown_slice(self, breakdown: Breakdown) -> str:
        """Return the slice of a breakdown, by its months."""
        return f"{self.schema}_{breakdown.name}"

    @property
    def content(self) -> tuple[str, ...]:
        """What makes two versions of an event differ."""
        ended = [self.ends] if self.ends else []
        columns = (*self.attributes, self.day, *self.measures, *self.versions.order, *ended)
        return tuple(column for column in dict.fromkeys(columns) if column not in self.key)

    @property
    def version_columns(self) -> tuple[str, ...]:
        """The columns that are kept of each version of an event."""
        return tuple(dict.fromkeys((*self.apart, *self.key, *self.versions.within, self.day, *self.content)))

    @property
    def hashed(self) -> tuple[str, ...]:
        """The part of the key that the index of a file is made of: what keeps days apart alone tells few rows apart."""
        return tuple(column for column in self.key if column not in self.apart) or self.key

    @property
    def position(self) -> tuple[str, ...]:
        """The total order of the versions of an event: ties would give another result on each run."""
        return (*([PREFERENCE] if self.versions.prefer else []), *self.versions.ordering)


@dataclass(frozen=True)
class BySetting:
    """A column whose value a deployment's setting gives: a table from identifiers of another column.

    Attributes:
        setting: the setting: a table of identifiers.
        column: the stored column whose values it names.
        default: what stands for identifiers that it does not name.
    """

    setting: str
    column: str
    default: str


@dataclass(frozen=True)
class Events:
    """How a source fills an event log.

    Attributes:
        log: the log.
        delivery: how its deliveries relate.
        columns: for each column of the log that the source does not store under that very name: SQL over its stored columns
            (``{currency}`` stands for the deployment's), or the setting that gives it. What it lacks altogether is empty.
    """

    log: EventLog
    delivery: Delivery = "append_events"
    # Mappings have no hash; sources that differ in it alone are told apart all the same.
    columns: Mapping[str, str | BySetting] = field(default_factory=dict, hash=False)

    @property
    def appends(self) -> bool:
        """Whether its rows are versions of events."""
        return self.delivery == "append_events"
