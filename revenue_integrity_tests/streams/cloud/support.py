"""The cloud stream driven step by step: land, ingest, compute what is stale, and read what stands as plain values.

Belongs here: what tests of the event store and of the stages share. Does not belong here: any expectation; worlds that are
computed once and whole (``world``); Dagster.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import months
from revenue_integrity.computing import staleness, versions
from revenue_integrity.computing.table_month import Computed, replace_month
from revenue_integrity.landing import ingest as landing
from revenue_integrity.landing.report import IngestReport
from revenue_integrity.streams.cloud import completeness, curated, mart
from revenue_integrity.streams.cloud.sources import EVENT_SOURCES, EVENTS, STREAM
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.warehouse import catalog
from revenue_integrity.warehouse.storage import Sliced
from revenue_integrity_tests.streams.cloud.world import DEFAULTS

Rows = Sequence[Mapping[str, object]]

STAGES = (*curated.RULES, *mart.RULES)
"""The tables that are kept in days."""

OUTCOMES, SERVICES, DAILY = "curated.cloud_event_outcomes", "mart.account_service_day", "mart.daily_account_cost"
REGIONS = "mart.cloud_region_day"

DAY_SLICES = (EVENTS.rows_slice, EVENTS.versions_slice, completeness.COMPLETENESS, completeness.HELD)
"""What the stages read of the store, by day."""

EVENT_TYPES = pa.schema(
    [
        ("event_id", pa.string()),
        ("tenant_id", pa.string()),
        ("account_id", pa.string()),
        ("service_name", pa.string()),
        ("region", pa.string()),
        ("pricing_model", pa.string()),
        ("usage_date", pa.date32()),
        ("cost", pa.decimal128(38, 18)),
        ("currency", pa.string()),
        ("ingested_at", pa.timestamp("us", tz="UTC")),
        ("is_deleted", pa.bool_()),
    ]
)
"""The types of the contract: a Parquet file that has them is kept as it is."""


def event(event_id: str, cost: object = "10", day: str = "2025-03-05", **more: object) -> dict[str, str]:
    """Return a billing event of tenant T-1 and account A-1, as text."""
    given = {"event_id": event_id, "cost": cost, "usage_date": day} | more
    return DEFAULTS["billing_events"] | {name: str(value) for name, value in given.items()}


def charge(cost: object = "10", day: str = "2025-03-05", **more: object) -> dict[str, str]:
    """Return a FOCUS row of provider P, billing account B-1 and account A-1, as text."""
    given = {"BilledCost": cost, "ChargePeriodStart": f"{day}T00:00:00Z"} | more
    return DEFAULTS["focus"] | {name: str(value) for name, value in given.items()}


def csv_bytes(rows: Rows, columns: Sequence[str] = ()) -> bytes:
    """Return rows as CSV with all their columns, or some of them."""
    text = io.StringIO()
    named = columns or list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, named, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def gz_bytes(rows: Rows) -> bytes:
    """Return rows as gzipped CSV."""
    return gzip.compress(csv_bytes(rows), mtime=0)


def json_bytes(rows: Rows) -> bytes:
    """Return rows as a JSON array of objects."""
    return json.dumps([dict(row) for row in rows]).encode()


def parquet_bytes(rows: Rows, schema: pa.Schema = EVENT_TYPES) -> bytes:
    """Return events as Parquet: canonical, unless the schema says otherwise. Columns that the schema lacks are left out."""
    columns = {field.name: [_value(row.get(field.name, ""), field.type) for row in rows] for field in schema}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), sink)
    return sink.getvalue()


def _value(value: object, kind: pa.DataType) -> object:
    text = str(value)
    if text == "":
        return None
    if pa.types.is_date(kind):
        return date.fromisoformat(text)
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(text)
    if pa.types.is_boolean(kind):
        return text.lower() == "true"
    if pa.types.is_decimal(kind):
        return Decimal(text)
    return float(text) if pa.types.is_floating(kind) else text


class Cloud:
    """A home of the cloud stream over one connection."""

    def __init__(self, home: Path, connection: duckdb.DuckDBPyConnection | None = None, **settings: Any) -> None:
        """Open a home, in memory unless a connection is given; its months are the first six of 2025, unless others are set."""
        given = {"first_month": "2025-01", "last_month": "2025-06", "threads": 1, "home": home} | settings
        self.settings = load_settings(**given)
        self.connection = connection or duckdb.connect(config={"threads": 1})

    # Landing

    def put(self, source: str, arrival: str, content: bytes, file_name: str = "data.csv") -> Path:
        """Write one file of a batch; return its path."""
        path = self.settings.landing_path / STREAM / source / arrival / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def events(self, arrival: str, *rows: Mapping[str, object], file_name: str = "data.csv") -> "Cloud":
        """Land billing events as CSV."""
        self.put("billing_events", arrival, csv_bytes(rows), file_name)
        return self

    def focus(self, arrival: str, *rows: Mapping[str, object], delta: bool = False, file_name: str = "data.csv") -> "Cloud":
        """Land FOCUS rows as CSV: a whole export, or additions to one."""
        self.put("focus_delta" if delta else "focus", arrival, csv_bytes(rows), file_name)
        return self

    # Running

    def ingest(self) -> IngestReport:
        """Bring the store up to date with the landing zone."""
        report = landing.ingest(self.connection, self.settings.landing_path, EVENT_SOURCES, self.settings)
        completeness.refresh(self.connection, self.settings)
        catalog.refresh(self.connection, self.settings)
        return report

    def admit(self, month: str) -> bool:
        """Let what was set aside for a month count, as a human's run of it does."""
        found = landing.admit(self.connection, EVENT_SOURCES, self.settings, months.parse(month))
        catalog.refresh(self.connection, self.settings)
        return found

    def compute(self) -> dict[str, list[str]]:
        """Compute the days that are stale; return them by table. Tables of which nothing is stale are left out."""
        done: dict[str, list[str]] = {}
        for rule in STAGES:
            for month in self.settings.months:
                known = catalog.read_catalog(self.settings)
                made_from, inputs = staleness.present_fingerprint(rule, month, known, self.settings)
                recorded = known.partition(rule.table.qualified, month)
                if recorded is None and not any(known.day_hashes(name, month) for name in DAY_SLICES):
                    # Nothing was ever delivered for the month.
                    continue
                if recorded is not None and recorded.fingerprint == made_from:
                    continue
                version, used = versions.version_of_rule(rule), self.settings.values(*rule.settings)
                days = staleness.stale_days(recorded, version, used, inputs)
                sliced = Sliced(days, recorded.slices if recorded else {})
                value = rule.function(month, self.settings)
                computed = Computed(value, made_from, version, used, inputs, sliced, rule.stage)
                replace_month(self.connection, self.settings, rule.table, month, computed)
                catalog.refresh(self.connection, self.settings, month)
                done.setdefault(rule.table.qualified, []).extend(map(str, days))
        return done

    def run(self) -> dict[str, list[str]]:
        """Ingest, then compute what is stale; return the days of it by table."""
        self.ingest()
        return self.compute()

    # Reading

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(sql).fetchall()

    def hashes(self) -> dict[tuple[str, str], str]:
        """Return the content hash of each day of each stage, as it is on record."""
        known = catalog.read_catalog(self.settings)
        return {
            (name.split("@")[0], day): found for name, record in known.partitions.items() for day, found in record.slices.items()
        }

    def raw_slices(self) -> dict[str, str]:
        """Return the slices that the stages read of the store."""
        names = tuple(f"{name}/" for name in DAY_SLICES)
        return {name: found for name, found in catalog.read_catalog(self.settings).slices.items() if name.startswith(names)}

    def days(self, tenant: str = "T-1") -> dict[tuple[str, str], Decimal]:
        """Return the published contract of a tenant: cost by account and day."""
        return {
            (account, str(day)): cost
            for account, day, cost in self.rows(
                f"select account_id, usage_date, total_cost from {DAILY} where tenant_id = '{tenant}' order by all"
            )
        }

    def outcomes(self, tenant: str = "T-1") -> list[tuple[str, str, int, str]]:
        """Return what became of a tenant's rows that do not count: event, arrival of the batch, row, outcome."""
        found = self.rows(
            f"select event_id, batch_id, row_number, outcome from {OUTCOMES} where tenant_id = '{tenant}' order by all"
        )
        return [(event_id, batch_id.rsplit("/", 1)[1], row, outcome) for event_id, batch_id, row, outcome in found]

    def quarantine(self) -> list[tuple[str, int, str]]:
        """Return file, row and reasons of what is in quarantine, in order."""
        return self.rows("select file_name, row_number, dq_errors from meta.quarantine order by batch_id, file_name, row_number")

    def survivors(self, *of_months: str) -> list[dict[str, Any]]:
        """Return the events and charges that count of some months (default: all), in key order."""
        wanted = [months.parse(month) for month in of_months] or list(self.settings.months)
        relation = curated.surviving_events(self.connection, self.settings, wanted)
        found = relation.fetchall()
        return [dict(zip(relation.columns, row, strict=True)) for row in found]

    def set_aside(self) -> tuple[int, Decimal]:
        """Return rows and cost of what lies beyond the window."""
        rows, cost = 0, Decimal(0)
        for count, amount in self.rows("select row_count, cost from cloud_events.days where set_aside") + self.rows("""
            select 1, c.cost from cloud_events.versions as c
            inner join cloud_events.days as d
                on c.file_no = d.file_no and c.usage_date = d.usage_date and c.tenant_id = d.tenant_id
            where c.set_aside and not d.set_aside
        """):
            rows, cost = rows + count, cost + amount
        return rows, cost

    def kept_files(self) -> list[Path]:
        """Return the files of the store that hold rows."""
        return [self.settings.home / path for (path,) in self.rows("select path from cloud_events.files order by path")]


def at(arrival: str) -> datetime:
    """Return the instant of an arrival (``YYYYMMDDTHHMMSSZ``)."""
    return datetime.strptime(arrival, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def total(costs: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of costs."""
    return sum(costs, Decimal(0))
