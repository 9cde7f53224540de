"""A small landing zone of bookings for tests: rows of each source with what they must have, put as batches.

Belongs here: rows by default, and their files. Does not belong here: any expectation.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from revenue_integrity.settings import Settings

Row = dict[str, Any]

EARLY = "20241220T000000Z"


def put(landing: Path, source: str, arrival: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Put rows into the landing zone as a batch and return its id."""
    target = landing / "bookings" / source / arrival
    unfinished = target.parent / f".{arrival}"
    unfinished.mkdir(parents=True)
    with (unfinished / "data.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.rename(target)
    return f"bookings/{source}/{arrival}"


def customer(customer_id: str = "C-1", **changes: Any) -> Row:
    """Return a customer."""
    return {
        "customer_id": customer_id,
        "customer_name": customer_id,
        "segment": "Mid",
        "country": "US",
        "status": "active",
    } | changes


def line(deal_id: str = "D-1", **changes: Any) -> Row:
    """Return the first version of a line: 1,200.00 over the twelve months of 2025, 100.00 a month."""
    return {
        "deal_id": deal_id,
        "line_no": 1,
        "version": 1,
        "customer_id": "C-1",
        "product": "",
        "revenue_type": "subscription",
        "amount": "1200.00",
        "standalone_price": "",
        "booked_on": "2024-12-10",
        "start_date": "2025-01-01",
        "end_date": "",
        "duration_months": 12,
        "policy": "",
        "status": "active",
        "change": "new",
        "modification": "",
        "effective_from": "",
    } | changes


def entry(entry_id: str, period: str, amount: str = "100.00", posted_at: str = "", **changes: Any) -> Row:
    """Return what accounting booked for line 1 of deal D-1, posted on the second day of the month after the period."""
    year, month = int(period[:4]), int(period[5:])
    following = f"{year + month // 12}-{month % 12 + 1:02d}"
    return {
        "entry_id": entry_id,
        "accounting_ref": "",
        "customer_id": "",
        "deal_id": "D-1",
        "line_no": 1,
        "period": period,
        "revenue_type": "subscription",
        "amount": amount,
        "currency": "USD",
        "posted_at": posted_at or f"{following}-02T10:00:00Z",
        "entry_type": "recognition",
        "reverses_entry_id": "",
    } | changes


def land_a_deal(settings: Settings) -> None:
    """Land one deal over the year 2025 with its customer, and an entry of 2025-03."""
    put(settings.landing_path, "customers", EARLY, [customer()])
    put(settings.landing_path, "deal_lines", EARLY, [line()])
    put(settings.landing_path, "recognition_entries", "20250420T000000Z", [entry("E-3", "2025-03")])
