"""One sale that comes long after its month was closed: a till was off-line.

Belongs here: a single late sale on top of a landing zone that ``simulate`` filled. Does not belong here: the simulation.
"""

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from revenue_integrity import months
from revenue_integrity.errors import UsageError
from revenue_integrity.streams.sales.simulate.books import Cutoff
from revenue_integrity.streams.sales.simulate.files import LEDGER_COLUMNS
from revenue_integrity.streams.sales.simulate.plan import STREAM
from revenue_integrity.streams.simulating import Zone, instant_text, money_text, text_table

_CENTS = 4_200


def late_sale(landing: Path, *, month: date, cutoff: Cutoff, arrival: datetime | None = None) -> str:
    """Send a sale of a closed month that was paid in cash, and return the id of the batch that holds it.

    Accounting books it the same day, after the cutoff, and the shop counts the month again, so that everything still ties.

    Args:
        landing: a landing zone that ``simulate`` filled.
        month: the service month.
        cutoff: the close calendar.
        arrival: when the batch becomes visible; by default a day after the latest batch of the zone.

    Raises:
        UsageError: the zone holds no count of the month, or the arrival is not after its cutoff.
    """
    label = months.label(month)
    counted = [_counts(file) for file in (landing / STREAM / "control_totals").glob("[!._]*/*.json")]
    of_month = [row for row in counted if row["month"] == label]
    if not of_month:
        raise UsageError(f"no sale of {label} has arrived in {landing}", "Simulate the month first")
    at = arrival or _latest(landing) + timedelta(days=1)
    posted_at = at - timedelta(hours=1)
    if posted_at <= cutoff(month):
        raise UsageError(
            f"what arrives on {instant_text(at)} is not late for {label}",
            f"Choose an arrival after {instant_text(cutoff(month))}",
        )
    last = max(of_month, key=lambda row: row["extracted_at"])
    zone, name = Zone(landing, STREAM), f"T-{month:%y%m}-OFFLINE"
    total = {
        "month": label,
        "extracted_at": instant_text(at),
        "lines": last["lines"] + 1,
        "amount": money_text(int(last["amount"].replace(".", "")) + _CENTS),
    }
    zone.put("control_totals", at, {"counted.json": json.dumps(total).encode()}, 1)
    line = {
        "document_id": f"JE-{name}",
        "line_no": "1",
        "document_type": "journal",
        "month": label,
        "region": "North",
        "category": "Home",
        "amount": money_text(_CENTS),
        "currency": _currency(landing),
        "posted_at": instant_text(posted_at),
    }
    zone.write("ledger", at, "late_journal", text_table(LEDGER_COLUMNS, [line]))
    sale = {
        "transaction_id": name,
        "customer_id": "C-000001",
        "product": {"name": "Home repair set", "category": "Home", "price": money_text(_CENTS)},
        "quantity": 1,
        "region": "North",
        "date": (month + timedelta(days=19)).isoformat(),
        "payment_method": "cash",
    }
    return zone.put("transactions", at, {"offline_till.json": json.dumps([sale]).encode()}, 1)


def _counts(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _currency(landing: Path) -> str:
    """Return the currency of the ledger."""
    file = min((landing / STREAM / "ledger").glob("[!._]*/*.csv*"))
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return next(iter(csv.DictReader(io.StringIO(content.decode(), newline=""))))["currency"]


def _latest(landing: Path) -> datetime:
    """Return the latest arrival of any batch."""
    found = [each.name for each in landing.glob("*/*/[!._]*") if each.is_dir()]
    return datetime.strptime(max(found), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
