"""One posting that comes long after its month was closed.

Belongs here: a single late line on top of a landing zone that ``simulate`` filled. Does not belong here: the simulation.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from revenue_integrity import months
from revenue_integrity.errors import UsageError
from revenue_integrity.streams.colocation.simulate.billing import Cutoff
from revenue_integrity.streams.colocation.simulate.plan import STREAM
from revenue_integrity.streams.colocation.simulate.program import CONTROL_TOTAL_COLUMNS, INVOICE_COLUMNS
from revenue_integrity.streams.simulating import Zone, instant_text, money_text, text_table

AMOUNT = 418_000
"""Cents of remote hands that somebody forgot to bill."""


def late_posting(landing: Path, *, month: date, cutoff: Cutoff, arrival: datetime | None = None, cents: int = AMOUNT) -> str:
    """Post an invoice line of a closed month, and return the id of the batch that shows it.

    The line bills services that no contract covers (``other``) to the first contract that was billed in the month. The
    ERP's control total of the month follows, so that it still ties.

    Args:
        landing: a landing zone that ``simulate`` filled.
        month: the service month.
        cutoff: the close calendar.
        arrival: when the batch becomes visible; by default a day after the latest batch of the zone.
        cents: amount of the line.

    Raises:
        UsageError: the zone holds no invoice line of the month, or the arrival is not after its cutoff.
    """
    label = months.label(month)
    billed = [row for row in _rows(landing, "erp_invoices") if row["service_month"] == label and row["erp_contract_ref"]]
    if not billed:
        raise UsageError(f"{landing} holds no invoice line of {label}", "Choose a month that was simulated")
    at = (arrival or max(_latest(landing), cutoff(month)) + timedelta(days=1)).replace(microsecond=0)
    posted_at = at - timedelta(hours=2)
    if posted_at <= cutoff(month):
        raise UsageError(f"an arrival at {at} is not late for {label}", f"Choose one after {cutoff(month)}")
    first = min(billed, key=lambda row: (row["document_id"], int(row["line_no"])))
    line: dict[str, str | None] = {
        "document_id": f"INV-LATE-{month:%y%m}-{posted_at:%y%m%d%H%M%S}",
        "line_no": "1",
        "document_type": "invoice",
        "erp_customer_code": first["erp_customer_code"],
        "erp_contract_ref": first["erp_contract_ref"],
        "service_month": label,
        "charge_type": "other",
        "quantity": "1",
        "unit_price": money_text(cents),
        "amount": money_text(cents),
        "currency": first["currency"],
        "invoice_date": posted_at.date().isoformat(),
        "posted_at": instant_text(posted_at),
    }
    zone = Zone(landing, STREAM)
    counted = [row for row in _rows(landing, "erp_control_totals") if row["service_month"] == label]
    if counted:
        last = max(counted, key=lambda row: row["extracted_at"])
        amount = int(last["amount"].replace(".", "")) + cents
        total: dict[str, str | None] = {
            "service_month": label,
            "extracted_at": instant_text(at),
            "lines": str(int(last["lines"]) + 1),
            "amount": money_text(amount),
        }
        zone.write("erp_control_totals", at, "control_totals", text_table(CONTROL_TOTAL_COLUMNS, [total]))
    return zone.write("erp_invoices", at, "late_invoice", text_table(INVOICE_COLUMNS, [line]))


def _rows(landing: Path, source: str) -> Iterator[dict[str, str]]:
    for file in sorted((landing / STREAM / source).glob("[!._]*/*.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)


def _latest(landing: Path) -> datetime:
    """Return the latest arrival of any batch."""
    found = [each.name for each in landing.glob("*/*/[!._]*") if each.is_dir()]
    return datetime.strptime(max(found), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
