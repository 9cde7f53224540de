"""Small landing zones for tests, and the whole state of a store as plain values."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from revenue_integrity.landing.ingest import ingest
from revenue_integrity.landing.report import IngestReport
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.sources import SOURCES

BY_NAME: dict[str, Source] = {source.name: source for source in SOURCES}

DEFAULTS: dict[str, dict[str, str]] = {
    "customers": {"customer_id": "CU-1", "customer_name": "One", "segment": "retail", "country": "US", "status": "active"},
    "sites": {"site_id": "S-1", "site_name": "One", "region": "r", "timezone": "America/New_York", "capacity_kw": "100"},
    "contract_versions": {
        "contract_id": "A", "version": "1", "customer_id": "CU-1", "site_id": "S-1", "effective_from": "2025-01-01",
        "effective_to": "", "status": "active", "pricing_model": "all_in", "racks": "3", "reserved_kw": "20",
        "rack_price": "1000.10", "kw_price": "150.55", "energy_rate": "", "pue_uplift": "", "overage_price": "25",
        "one_time_fee": "", "amendment_type": "new", "signed_on": "2024-12-01",
    },
    "rack_assignments": {
        "site_id": "S-1", "rack_id": "R1", "contract_id": "A", "installed_on": "2025-01-01", "removed_on": "", "rated_kw": "8",
    },
    "meter_readings": {
        "meter_id": "M1", "contract_id": "A", "site_id": "S-1", "reading_date": "2025-03-05", "kwh": "100", "peak_kw": "10",
        "read_type": "actual",
    },
    "power_bills": {
        "bill_id": "B1", "site_id": "S-1", "service_month": "2025-03", "bill_version": "1", "status": "final", "kwh": "12000",
        "energy_charge": "1000.00", "demand_charge": "300.00", "fixed_charge": "100.01", "tax": "50.00", "total": "1450.01",
        "currency": "USD", "issued_on": "2025-04-05",
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
        "amount": "1450.01", "currency": "USD", "posted_at": "2025-04-06T10:00:00Z",
    },
}  # fmt: skip
"""One good row of each source; tests change what they are about."""


def row(source: str, **changes: str) -> dict[str, str]:
    """Return a good row of a source with some values changed."""
    return DEFAULTS[source] | changes


def csv_text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as CSV with the header of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def put(landing: Path, source: str, arrival: str, content: str | bytes, file_name: str = "data.csv") -> Path:
    """Write one file of a batch; return its path."""
    path = landing / "colocation" / source / arrival / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_rows(landing: Path, source: str, arrival: str, *rows: Mapping[str, str], file_name: str = "data.csv") -> Path:
    """Write rows as one CSV file of a batch; return its path."""
    return put(landing, source, arrival, csv_text(rows), file_name)


def put_world(landing: Path) -> None:
    """Land a customer, a site and a contract A with service from 2025-01-01 on."""
    for source in ("customers", "sites", "contract_versions"):
        put_rows(landing, source, "20241201T000000Z", row(source))


class Store:
    """A store in memory over one landing zone."""

    def __init__(self, landing: Path, connection: duckdb.DuckDBPyConnection | None = None, **settings: Any) -> None:
        self.landing = landing
        self.settings = Settings(**({"first_month": "2025-01", "last_month": "2025-06", "home": landing.parent} | settings))
        self.connection = connection or duckdb.connect()

    def ingest(self, **more: Any) -> IngestReport:
        """Bring the store up to date."""
        return ingest(self.connection, self.landing, SOURCES, self.settings, **more)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(sql).fetchall()

    def batches(self) -> dict[str, tuple[int, int, int, int, int]]:
        """Return rows in file, loaded, quarantined, exact duplicates, corrections per batch."""
        found = self.rows(
            "select batch_id, rows_in_file, rows_loaded, rows_quarantined, exact_duplicates, corrections from meta.batches"
        )
        return {batch_id.removeprefix("colocation/"): tuple(counts) for batch_id, *counts in found}  # type: ignore[misc] # -- five counts

    def quarantine(self) -> list[tuple[Any, ...]]:
        """Return source, row number, month and reasons of what is in quarantine, in order."""
        return self.rows(
            "select source, row_number, strftime(month, '%Y-%m'), dq_errors from meta.quarantine"
            " order by batch_id, file_name, row_number"
        )

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that the store holds, but for when it was first seen."""
        tables = self.rows("select schema_name || '.' || table_name from duckdb_tables() where not temporary order by all")
        state = {}
        for (table,) in tables:
            columns = "* exclude (first_seen_at)" if table == "meta.batches" else "*"
            state[table] = sorted(self.rows(f"select {columns} from {table}"), key=repr)
        state["meta.quarantine"] = sorted(self.rows("from meta.quarantine"), key=repr)
        return state
