"""Two streams that append events, and a home of both: what tests of the store run that are about no stream that ships.

Belongs here: their declarations, landing and computing them without Dagster. Does not belong here: any expectation.

*meters*: daily reads of meters, told by meter and day, kept apart by nothing; a read that was taken by hand is preferred to an
estimate, whatever came later. *calls*: telephone calls, told by an id, kept apart by tenant; the latest update counts, a call may
be void, and moves to another day. Both call their log, and their source, by one name: nothing of them may meet.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import duckdb
from pydantic import Field

from revenue_integrity import months
from revenue_integrity.computing import staleness, versions
from revenue_integrity.landing import ingest as landing
from revenue_integrity.landing.eventstore.outcomes import outcomes_rule, outcomes_table
from revenue_integrity.landing.eventstore.reading import row_inputs
from revenue_integrity.landing.report import IngestReport
from revenue_integrity.model import table as column
from revenue_integrity.model.events import EventLog, Events
from revenue_integrity.model.query import Query
from revenue_integrity.model.rule import Rule, days_of
from revenue_integrity.model.source import RowRule, Source, SourceColumn, Versions
from revenue_integrity.model.table import Table, table
from revenue_integrity.orchestration.io_manager import Computed, replace_month
from revenue_integrity.settings import Settings, joined
from revenue_integrity.warehouse import catalog
from revenue_integrity.warehouse.storage import Sliced

NAME = "rows"
"""What both streams call their log and their source."""


class CallSettings(Settings):
    """The settings of the stream of calls."""

    stream: ClassVar[str] = "calls"

    calls_lookback_days: int = Field(30, ge=1, description="Days before its arrival that a batch recomputes by itself.")


class MeterSettings(Settings):
    """The settings of the stream of meters."""

    stream: ClassVar[str] = "meters"

    meters_lookback_days: int = Field(400, ge=1, description="Days before its arrival that a batch recomputes by itself.")


_READ = (
    SourceColumn("meter_id", "id", "The meter."),
    SourceColumn("read_date", "date", "The day."),
    SourceColumn("kwh", "dec", "Energy of the day.", ge=0, unit="kWh"),
    SourceColumn("peak_kw", "dec", "The highest load.", required=False, unit="kW"),
    SourceColumn("read_type", "enum", "How it was read.", values=("actual", "estimated", "final")),
)

READS = EventLog(
    "meters",
    NAME,
    _READ,
    day="read_date",
    measures=("kwh",),
    key=("meter_id", "read_date"),
    versions=Versions(within=("read_type",), prefer="case read_type when 'final' then 2 when 'actual' then 1 else 0 end"),
    attributes=("peak_kw",),
    lookback="meters_lookback_days",
)

METER_READS = Source(
    "meters",
    NAME,
    "Reads of meters, one row per meter and day.",
    _READ,
    READS.key,
    versions=READS.versions,
    month_of=READS.day,
    rules=(RowRule("kwh > peak_kw * 24", "'kwh exceeds peak_kw × 24'"),),
    events=Events(READS),
)

_CALL = (
    SourceColumn("tenant_id", "id", "Whose call it is.", default="HOUSE"),
    SourceColumn("call_id", "id", "The call."),
    SourceColumn("called_on", "date", "The day."),
    SourceColumn("seconds", "int", "How long it took.", ge=0, unit="s"),
    SourceColumn("charge", "money", "What it costs.", unit="cents"),
    SourceColumn("updated_at", "ts", "When it was noted."),
    SourceColumn("is_void", "bool", "Whether there was no such call.", required=False),
)

CALL_LOG = EventLog(
    "calls",
    NAME,
    _CALL,
    day="called_on",
    measures=("seconds", "charge_cents"),
    key=("tenant_id", "call_id"),
    apart=("tenant_id",),
    versions=Versions(order=("updated_at",)),
    ends="is_void",
    lookback="calls_lookback_days",
)

CALLS = Source(
    "calls",
    NAME,
    "Calls, one row per version of a call.",
    _CALL,
    CALL_LOG.key,
    versions=CALL_LOG.versions,
    month_of=CALL_LOG.day,
    events=Events(CALL_LOG, columns={"is_void": "coalesce(is_void, false)"}),
)


@dataclass(frozen=True)
class Toy:
    """A stream of events.

    Attributes:
        source: its one source.
        log: its event log.
        outcomes: rows that do not count.
        days: sums by day.
        rules: how both are made.
    """

    source: Source
    log: EventLog
    outcomes: Table
    days: Table
    rules: tuple[Rule, ...]


def sums_by_day(log: EventLog, outcomes: Table, called: str, by: str) -> tuple[Table, Rule]:
    """Return a table of the log's measures by a column and day, and how it is made: all rows less those that do not count."""
    types = log.types
    declared = {each.stored: each for each in log.columns}
    sums = [
        column.decimal(measure, "The sum.", unit="", places=6 if types[measure].startswith("DECIMAL") else 0, digits=38)
        for measure in log.measures
    ]
    made = table(
        log.stream,
        "mart",
        called,
        "Sums by day.",
        ("month", by, log.day),
        [column.month(), declared[by].table_column(), declared[log.day].table_column(), *sums, column.integer("events", "Rows.")],
        slice_column=log.day,
    )
    plain = ", ".join(f"sum({measure}) as {measure}" for measure in log.measures)
    taken_off = ", ".join(f"-sum({measure}) as {measure}" for measure in log.measures)
    total = ", ".join(f"cast(sum({measure}) as {made.sql_type(measure)}) as {measure}" for measure in log.measures)
    sql = f"""
        with parts as (
            select {by}, {log.day}, {plain}, count(*) as events from events group by {by}, {log.day}
            union all
            select {by}, {log.day}, {taken_off}, -count(*) as events from outcomes group by {by}, {log.day}
        )

        select
            cast(date_trunc('month', {log.day}) as date) as month, {by}, {log.day}, {total},
            cast(sum(events) as bigint) as events
        from parts
        group by {by}, {log.day}
        having sum(events) <> 0
    """
    reads = (days_of("raw", log.rows_slice), days_of("curated", outcomes.name))
    return made, Rule(made, partial(_query, sql), reads, stage=row_inputs(log, outcomes))


def _query(sql: str, month: date, settings: Settings) -> Query:
    return Query(sql)


def toy(source: Source, log: EventLog, by: str) -> Toy:
    """Return the stream of a source: its outcomes, and its sums by a column and day."""
    outcomes = outcomes_table(log, f"{log.stream}_outcomes", "Rows that do not count.", log.measures)
    days, sums = sums_by_day(log, outcomes, f"{log.stream}_days", by)
    return Toy(source, log, outcomes, days, (outcomes_rule(log, outcomes, (source,)), sums))


METERS = toy(METER_READS, READS, "meter_id")
PHONES = toy(CALLS, CALL_LOG, "tenant_id")
TOYS = (METERS, PHONES)


class Home:
    """A home of both streams over one connection; the engine is that of the settings."""

    def __init__(self, home: Path, connection: duckdb.DuckDBPyConnection | None = None, **settings: Any) -> None:
        """Open a home, in memory unless a connection is given; its months are the first six of 2025."""
        given = {"first_month": "2025-01", "last_month": "2025-06", "threads": 1, "home": home} | settings
        self.settings = joined(CallSettings, MeterSettings)(**given)
        self.connection = connection or duckdb.connect(config={"threads": 1})

    def put(self, which: Toy, arrival: str, *rows: Mapping[str, object], file_name: str = "data.csv") -> "Home":
        """Land rows as CSV."""
        path = self.settings.landing_path / which.log.stream / NAME / arrival / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        names = list(dict.fromkeys(name for row in rows for name in row))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return self

    def ingest(self, *which: Toy) -> list[IngestReport]:
        """Bring the store up to date, stream by stream."""
        found = [self._ingest(each) for each in which or TOYS]
        catalog.refresh(self.connection, self.settings)
        return found

    def _ingest(self, which: Toy) -> IngestReport:
        return landing.ingest(self.connection, self.settings.landing_path, (which.source,), self.settings)

    def admit(self, which: Toy, month: str) -> bool:
        """Let what was set aside of a stream's month count."""
        found = landing.admit(self.connection, (which.source,), self.settings, months.parse(month))
        catalog.refresh(self.connection, self.settings)
        return found

    def compute(self, *which: Toy) -> dict[str, list[str]]:
        """Compute the days that are stale; return them by table. Tables of which nothing is stale are left out."""
        done: dict[str, list[str]] = {}
        for log, rule in [(each.log, rule) for each in which or TOYS for rule in each.rules]:
            for month in self.settings.months:
                if days := self._compute(log, rule, month):
                    done.setdefault(rule.table.name, []).extend(days)
        return done

    def _compute(self, log: EventLog, rule: Rule, month: date) -> list[str]:
        known = catalog.read_catalog(self.settings)
        made_from, inputs = staleness.present_fingerprint(rule, month, known, self.settings)
        recorded = known.partition(rule.table.qualified, month)
        if recorded is None and not known.day_hashes(log.rows_slice, month):
            # Nothing was ever delivered for the month.
            return []
        if recorded is not None and recorded.fingerprint == made_from:
            return []
        version, used = versions.version_of_rule(rule), self.settings.values(*rule.settings)
        days = staleness.stale_days(recorded, version, used, inputs)
        sliced = Sliced(days, recorded.slices if recorded else {})
        value = rule.function(month, self.settings)
        computed = Computed(value, made_from, version, used, inputs, sliced, rule.stage)
        replace_month(self.connection, self.settings, rule.table, month, computed)
        catalog.refresh(self.connection, self.settings, month)
        return [str(day) for day in days]

    def run(self, *which: Toy) -> dict[str, list[str]]:
        """Ingest, then compute what is stale; return the days of it by table."""
        self.ingest(*which)
        return self.compute(*which)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(sql).fetchall()

    def days(self, which: Toy) -> list[tuple[Any, ...]]:
        """Return a stream's sums by day, without the month."""
        return self.rows(f"select * exclude (month) from {which.days.qualified} order by all")

    def outcomes(self, which: Toy, *columns: str) -> list[tuple[Any, ...]]:
        """Return what became of a stream's rows that do not count."""
        shown = ", ".join((*columns, "split_part(batch_id, '/', 3)", "row_number", "outcome"))
        return self.rows(f"select {shown} from {which.outcomes.qualified} order by all")

    def hashes(self, *which: Toy) -> dict[str, Mapping[str, str]]:
        """Return the content hash of each day of the tables of streams, as it is on record."""
        names = {rule.table.qualified for each in which or TOYS for rule in each.rules}
        known = catalog.read_catalog(self.settings)
        return {name: each.slices for name, each in known.partitions.items() if name.split("@")[0] in names}


def reads(rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    """Return reads: meter, day, kWh, how it was read."""
    return [{"meter_id": meter, "read_date": day, "kwh": kwh, "peak_kw": "", "read_type": kind} for meter, day, kwh, kind in rows]


def calls(rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    """Return calls: id, day, seconds, charge, when it was noted, and whether it is void."""
    names = ("call_id", "called_on", "seconds", "charge", "updated_at", "is_void")
    return [{"tenant_id": "", **dict(zip(names, row, strict=True))} for row in rows]
