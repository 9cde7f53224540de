"""Small worlds: rows per source in a landing zone of their own, ingested and computed, so that a test reads like its example.

Belongs here: building such a world and reading its tables as plain values. Does not belong here: any expectation.
A world begins with customer CU-1, and site S-1 in UTC with 100 kW; a contract version, reading, bill or line is a good row of
its source with what the test is about changed.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from revenue_integrity import months, output
from revenue_integrity.landing.datasets import read_quarantine
from revenue_integrity.landing.ingest import ingest
from revenue_integrity.model.check import Judgement
from revenue_integrity.model.query import Query
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.streams.registry import load_settings
from revenue_integrity.warehouse.hashing import content_hash
from revenue_integrity.warehouse.storage import exact_frame, read_partitions
from revenue_integrity_tests import cases
from revenue_integrity_tests.landing.support import put_rows

EARLY = "20230101T000000Z"
"""Arrival of what a test is not about: before anything that it is about."""

DEFAULTS: dict[str, dict[str, str]] = {
    "customers": {"customer_id": "CU-1", "customer_name": "One", "segment": "retail", "country": "US", "status": "active"},
    "sites": {"site_id": "S-1", "site_name": "One", "region": "r", "timezone": "UTC", "capacity_kw": "100"},
    "contract_versions": {
        "contract_id": "A", "version": "1", "customer_id": "CU-1", "site_id": "S-1", "effective_from": "2025-01-01",
        "effective_to": "", "status": "active", "pricing_model": "all_in", "racks": "2", "reserved_kw": "10",
        "rack_price": "300", "kw_price": "150", "energy_rate": "", "pue_uplift": "", "overage_price": "",
        "one_time_fee": "", "amendment_type": "new", "signed_on": "2022-12-01",
    },
    "rack_assignments": {
        "site_id": "S-1", "rack_id": "R1", "contract_id": "A", "installed_on": "2025-01-01", "removed_on": "", "rated_kw": "5",
    },
    "meter_readings": {
        "meter_id": "M1", "contract_id": "A", "site_id": "S-1", "reading_date": "2025-03-05", "kwh": "100", "peak_kw": "8",
        "read_type": "actual",
    },
    "power_bills": {
        "bill_id": "B1", "site_id": "S-1", "service_month": "2025-03", "bill_version": "1", "status": "final", "kwh": "9000",
        "energy_charge": "0", "demand_charge": "0", "fixed_charge": "0", "tax": "0", "total": "0", "currency": "USD",
        "issued_on": "2025-04-05",
    },
    "erp_invoices": {
        "document_id": "D1", "line_no": "1", "document_type": "invoice", "erp_customer_code": "E1", "erp_contract_ref": "R-A",
        "service_month": "2025-03", "charge_type": "rack", "quantity": "1", "unit_price": "10", "amount": "10.00",
        "currency": "USD", "invoice_date": "2025-04-02", "posted_at": "2025-04-03T10:00:00Z", "corrects_document_id": "",
    },
    "erp_mapping": {
        "erp_customer_code": "E1", "customer_id": "CU-1", "erp_contract_ref": "R-A", "contract_id": "A",
        "valid_from": "2025-01-01", "valid_to": "",
    },
    "erp_control_totals": {
        "service_month": "2025-03", "extracted_at": "2025-04-10T00:00:00Z", "lines": "1", "amount": "10.00",
    },
    "erp_power_costs": {
        "document_id": "P1", "line_no": "1", "document_type": "bill", "site_id": "S-1", "service_month": "2025-03",
        "amount": "10.00", "currency": "USD", "posted_at": "2025-04-06T10:00:00Z",
    },
}  # fmt: skip
"""One good row of each source."""

CURATED_AND_MART = tuple(rule.table.name for rule in COLOCATION.rules if rule.table.layer in ("curated", "mart"))
"""The tables that these worlds are about; reconciliations have tests of their own."""

Row = dict[str, Any]


class World:
    """A landing zone under construction."""

    def __init__(self, home: Path, **settings: Any) -> None:
        """Begin a world whose deployment is March 2025, unless the settings say other months."""
        self.settings = load_settings(
            **({"first_month": "2025-03", "last_month": "2025-03", "threads": 1, "home": home} | settings)
        )
        self._rows: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
        self._files = 1
        self.add("customers").add("sites")

    def add(self, source: str, arrival: str = EARLY, **values: Any) -> "World":
        """Add a row to the batch of a source that arrives then; decimals and dates may be given as such."""
        self._rows[source, arrival].append(DEFAULTS[source] | {name: str(value) for name, value in values.items()})
        return self

    def replace(self, source: str, arrival: str = EARLY, **values: Any) -> "World":
        """Let the batch of a source hold nothing but this row."""
        self._rows.pop((source, arrival), None)
        return self.add(source, arrival, **values)

    def version(self, **values: Any) -> "World":
        """Add a contract version."""
        return self.add("contract_versions", **values)

    def reading(self, day: str | date, kwh: object = 100, peak_kw: object = 50, *, arrival: str = "", **values: Any) -> "World":
        """Add a reading; it arrives at 06:00 UTC of the next day unless said otherwise."""
        on = date.fromisoformat(str(day))
        came = arrival or f"{on + timedelta(days=1):%Y%m%d}T060000Z"
        return self.add("meter_readings", came, reading_date=on, kwh=kwh, peak_kw=peak_kw, **values)

    def readings(self, first: str, last: str, kwh: object = 100, peak_kw: object = 50, **values: Any) -> "World":
        """Add a reading a day, all in one batch that arrives in time for none to be late (the evening of the first day)."""
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        values = {"arrival": f"{start:%Y%m%d}T200000Z"} | values
        for offset in range((end - start).days + 1):
            self.reading(start + timedelta(days=offset), kwh, peak_kw, **values)
        return self

    def bill(
        self,
        energy: object = 0,
        demand: object = 0,
        fixed: object = 0,
        tax: object = 0,
        *,
        arrival: str = EARLY,
        **values: Any,
    ) -> "World":
        """Add a power bill whose total is the sum of its charges."""
        total = sum(Decimal(str(charge)) for charge in (energy, demand, fixed, tax))
        charges = {"energy_charge": energy, "demand_charge": demand, "fixed_charge": fixed, "tax": tax, "total": total}
        return self.add("power_bills", arrival, **(charges | values))

    def shuffled(self, chance: random.Random) -> "World":
        """Let the rows of each batch come in another order, over up to three files."""
        for rows in self._rows.values():
            chance.shuffle(rows)
        self._files = 3
        return self

    def split(self, chance: random.Random) -> "World":
        """Let each batch come as three, a second apart, each row in any of them."""
        whole, self._rows = self._rows, defaultdict(list)
        for (source, arrival), rows in whole.items():
            for row in rows:
                self._rows[source, f"{arrival[:-2]}{chance.randrange(3)}Z"].append(row)
        return self

    def write(self) -> Path:
        """Write the landing zone; return it."""
        for (source, arrival), rows in self._rows.items():
            for number in range(self._files):
                if part := rows[number :: self._files]:
                    put_rows(self.settings.landing_path, source, arrival, *part, file_name=f"{9 - number}.csv")
        return self.settings.landing_path

    @contextmanager
    def computed(self, *tables: str, wanted: Sequence[date] | None = None) -> Iterator["Computed"]:
        """Ingest, compute some tables (none named: all of curated and mart) and what is behind them; yield the result."""
        self.write()
        connection = duckdb.connect(config={"threads": 2})
        try:
            ingest(connection, self.settings.landing_path, COLOCATION.sources, self.settings)
            stream = cases.only(COLOCATION, tables or CURATED_AND_MART)
            cases.compute(connection, self.settings, stream, wanted or self.settings.months)
            yield Computed(connection, self.settings)
        finally:
            connection.close()

    def rows(self, table: str, **wanted: object) -> list[Row]:
        """Compute one table and return its rows that have some values."""
        with self.computed(table) as computed:
            return computed.rows(table, **wanted)

    def row(self, table: str, **wanted: object) -> Row:
        """Compute one table and return its only row that has some values."""
        (found,) = self.rows(table, **wanted)
        return found

    def refusals(self, source: str) -> list[str]:
        """Ingest and return the reasons of the quarantined rows of a source, in their order."""
        self.write()
        with duckdb.connect(config={"threads": 2}) as connection:
            ingest(connection, self.settings.landing_path, COLOCATION.sources, self.settings)
            refused = read_quarantine(connection, COLOCATION.name)
            return refused[refused["source"] == source]["dq_errors"].tolist()


class Computed:
    """The tables of a computed world as plain values: dates as text, cents as integers, quantities as ``Decimal``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings

    def rows(self, table: str, **wanted: object) -> list[Row]:
        """Return the rows of a table that have some values, in key order."""
        (declared,) = [rule.table for rule in COLOCATION.rules if rule.table.name == table]
        found = output.plain_rows(read_partitions(self.connection, declared, self.settings.months))
        return [row for row in found if all(row[name] == value for name, value in wanted.items())]

    def row(self, table: str, **wanted: object) -> Row:
        """Return the only row of a table that has some values."""
        (found,) = self.rows(table, **wanted)
        return found

    def hashes(self) -> dict[tuple[str, date], str]:
        """Return the content hash of every partition of every curated and mart table."""
        return {
            (rule.table.name, month): content_hash(self.connection, rule.table, month)
            for rule in cases.only(COLOCATION, CURATED_AND_MART).rules
            for month in self.settings.months
        }

    def execute(self, sql: str) -> None:
        """Change a table, to see a check fail."""
        self.connection.execute(sql)

    def judge(self, name: str, month: str = "2025-03", **settings: object) -> Judgement:
        """Evaluate a check of the stream on a month, with some settings changed."""
        (check,) = [check for check in COLOCATION.checks if check.name == name]
        return check.judge(_Reader(self.connection), months.parse(month), self.settings.model_copy(update=settings))


class _Reader:
    """What a check sees: query results, exact."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: Query) -> pd.DataFrame:
        return exact_frame(self._connection.sql(query.sql, params=query.bound).to_arrow_table())


def pick(row: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """Return some values of a row."""
    return tuple(row[name] for name in names)
