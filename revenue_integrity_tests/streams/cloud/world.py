"""Small worlds of the cloud stream: rows per source in a landing zone of their own, ingested and computed.

Belongs here: building such a world and reading its tables as plain values. Does not belong here: any expectation.
A world is March 2025 and begins empty; a row is a good one of its source with what the test is about changed.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from revenue_integrity import months, output
from revenue_integrity.landing.ingest import ingest
from revenue_integrity.model.check import Judgement
from revenue_integrity.model.query import Query
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.streams.cloud import completeness, curated, mart, month, recon, register
from revenue_integrity.streams.cloud.checks import CHECKS
from revenue_integrity.streams.cloud.sources import SOURCES, STREAM
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.warehouse.engine import DuckDBEngine
from revenue_integrity.warehouse.storage import exact_frame, read_partitions, rows_of_query, write_partition
from revenue_integrity_tests.landing.support import csv_text
from revenue_integrity_tests.streams.colocation.world import Row

RULES = Stream(STREAM, SOURCES, (*curated.RULES, *mart.RULES, *month.RULES, *recon.RULES, *register.RULES), CHECKS)
"""The tables that these worlds are about."""

DEFAULTS: dict[str, dict[str, str]] = {
    "billing_events": {
        "event_id": "E-1", "tenant_id": "T-1", "account_id": "A-1", "service_name": "Compute", "region": "r",
        "pricing_model": "on_demand", "usage_date": "2025-03-05", "cost": "10", "currency": "USD",
        "ingested_at": "2025-03-05T12:00:00Z", "is_deleted": "",
    },
    "focus": {
        "BilledCost": "10", "EffectiveCost": "8", "BillingPeriodStart": "2025-03-01T00:00:00Z",
        "ChargePeriodStart": "2025-03-05T00:00:00Z", "ProviderName": "P", "BillingAccountId": "B-1", "SubAccountId": "A-1",
        "ServiceName": "Compute", "InvoiceId": "I-1",
    },
    "cloud_invoices": {
        "invoice_id": "I-1", "provider": "P", "billing_period": "2025-03", "amount": "10", "currency": "USD",
    },
    "accounts": {"account_id": "A-1", "tenant_id": "T-1", "account_name": "One", "billing_owner": "Ann"},
    "services": {"service_name": "Compute", "service_category": "compute"},
}  # fmt: skip
DEFAULTS["focus_delta"] = DEFAULTS["focus"]


def deliver(settings: Settings, arrival: str, *events: tuple[str, str, str]) -> None:
    """Land billing events: id, day, cost."""
    taken_in = f"{arrival[:4]}-{arrival[4:6]}-{arrival[6:8]}T00:00:00Z"
    rows = [
        DEFAULTS["billing_events"] | {"event_id": event, "usage_date": day, "cost": cost, "ingested_at": taken_in}
        for event, day, cost in events
    ]
    directory = settings.landing_path / "cloud" / "billing_events" / arrival
    directory.mkdir(parents=True)
    (directory / "events.csv").write_text(csv_text(rows), encoding="utf-8")


IN_TIME = "20250310T000000Z"
"""An arrival within the month."""


class World:
    """A landing zone under construction."""

    def __init__(self, home: Path, **settings: Any) -> None:
        """Begin a world whose deployment is March 2025, unless the settings say other months."""
        self.settings = load_settings(
            **({"first_month": "2025-03", "last_month": "2025-03", "threads": 1, "home": home} | settings)
        )
        self._rows: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)

    def add(self, source: str, arrival: str = IN_TIME, **values: Any) -> "World":
        """Add a row to the batch of a source that arrives then."""
        self._rows[source, arrival].append(DEFAULTS[source] | {name: str(value) for name, value in values.items()})
        return self

    def event(self, event_id: str, cost: object, day: str = "2025-03-05", arrival: str = IN_TIME, **values: Any) -> "World":
        """Add a billing event; it was taken in at its arrival unless said otherwise."""
        taken_in = f"{arrival[:4]}-{arrival[4:6]}-{arrival[6:11]}:00:00Z"
        facts = {"event_id": event_id, "cost": cost, "usage_date": day, "ingested_at": taken_in}
        return self.add("billing_events", arrival, **(facts | values))

    def put(self, source: str, arrival: str, name: str, text: str) -> "World":
        """Put a file of any content into a batch."""
        directory = self.settings.landing_path / STREAM / source / arrival
        directory.mkdir(parents=True)
        (directory / name).write_text(text, encoding="utf-8")
        return self

    @contextmanager
    def computed(self, wanted: Sequence[date] | None = None) -> Iterator["Computed"]:
        """Ingest and compute every table; yield the result."""
        for (source, arrival), rows in self._rows.items():
            self.put(source, arrival, "data.csv", csv_text(rows))
        self._rows.clear()
        with duckdb.connect(config={"threads": 2}) as connection:
            ingest(connection, self.settings.landing_path, SOURCES, self.settings)
            completeness.refresh(connection, self.settings)
            computed = Computed(connection, self)
            computed.compute(wanted or self.settings.months)
            yield computed


class Computed:
    """The tables of a computed world as plain values: dates as text, amounts as ``Decimal``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, world: World) -> None:
        self.connection = connection
        self.settings = world.settings

    def compute(self, wanted: Sequence[date]) -> None:
        """Compute every table of some months."""
        for rule in RULES.rules_in_order():
            for each in wanted:
                self._run(rule, each)

    def _run(self, rule: Rule, wanted: date) -> None:
        frames: dict[str, pd.DataFrame] = {}
        if rule.queries is not None:
            frames = {name: rows_of_query(self.connection, query) for name, query in rule.queries(wanted, self.settings).items()}
        made = rule.function(wanted, self.settings, **frames)
        if rule.stage is not None:
            days = [day.date() for day in pd.date_range(wanted, months.last_day(wanted))]
            made = DuckDBEngine().run(self.connection, made.sql, rule.stage(self.connection, self.settings, days))
        self.connection.begin()
        write_partition(self.connection, rule.table, wanted, made)
        self.connection.commit()

    def rows(self, table: str, **wanted: object) -> list[Row]:
        """Return the rows of a table that have some values, in key order."""
        (declared,) = [rule.table for rule in RULES.rules if rule.table.name == table]
        found = output.plain_rows(read_partitions(self.connection, declared, self.settings.months))
        return [row for row in found if all(row[name] == value for name, value in wanted.items())]

    def row(self, table: str, **wanted: object) -> Row:
        """Return the only row of a table that has some values."""
        (found,) = self.rows(table, **wanted)
        return found

    def execute(self, sql: str) -> None:
        """Change a table, to see a check fail."""
        self.connection.execute(sql)

    def judge(self, name: str, of_month: str = "2025-03", **settings: object) -> Judgement:
        """Evaluate a check of the stream on a month, with some settings changed."""
        (check,) = [check for check in CHECKS if check.name == name]
        return check.judge(_Reader(self.connection), months.parse(of_month), self.settings.model_copy(update=settings))


class _Reader:
    """What a check sees: query results, exact."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: Query) -> pd.DataFrame:
        return exact_frame(self._connection.sql(query.sql, params=query.bound).to_arrow_table())
