"""One recognition entry that comes long after its month was closed.

Belongs here: a single late entry on top of a landing zone that ``simulate`` filled. Does not belong here: the simulation.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from revenue_integrity import months
from revenue_integrity.errors import UsageError
from revenue_integrity.streams.bookings.simulate.booking import Cutoff
from revenue_integrity.streams.bookings.simulate.files import CONTROL_TOTAL_COLUMNS, ENTRY_COLUMNS
from revenue_integrity.streams.bookings.simulate.plan import STREAM
from revenue_integrity.streams.simulating import Zone, instant_text, money_text, text_table


def late_entry(landing: Path, *, month: date, cutoff: Cutoff, arrival: datetime | None = None) -> str:
    """Book the smallest entry of a closed month a second time, and return the id of the batch that shows it.

    The ERP's control total of the month follows, so that it still ties.

    Args:
        landing: a landing zone that ``simulate`` filled.
        month: the service month.
        cutoff: the close calendar.
        arrival: when the batch becomes visible; by default a day after the latest batch of the zone.

    Raises:
        UsageError: the zone holds no entry of the month, or the arrival is not after its cutoff.
    """
    label = months.label(month)
    # As the last extract has them: what was mended since must not come again.
    latest = {row["entry_id"]: row for row in _rows(landing, "recognition_entries")}
    of_month = [row for row in latest.values() if row["period"] == label]
    booked = [row for row in of_month if row["entry_type"] == "recognition" and "-X" not in row["entry_id"]]
    booked = [row for row in booked if not row["amount"].startswith("-")]
    if not booked:
        raise UsageError(f"no entry of {label} has arrived in {landing}", "Simulate the month first")
    at = arrival or _latest(landing) + timedelta(days=1)
    posted_at = at - timedelta(hours=1)
    if posted_at <= cutoff(month):
        raise UsageError(
            f"what arrives on {instant_text(at)} is not late for {label}",
            f"Choose an arrival after {instant_text(cutoff(month))}",
        )
    again = min(booked, key=lambda row: (_cents(row["amount"]), row["entry_id"]))
    entry = {**again, "entry_id": f"{again['entry_id']}-AGAIN", "posted_at": instant_text(posted_at)}
    entry |= {"reviewed_by": "", "reviewed_at": ""}
    zone = Zone(landing, STREAM)
    counted = [row for row in _rows(landing, "recognition_control_totals") if row["period"] == label]
    if counted:
        last = max(counted, key=lambda row: row["extracted_at"])
        total: dict[str, str | None] = {
            "period": label,
            "extracted_at": instant_text(at),
            "lines": str(int(last["lines"]) + 1),
            "amount": money_text(_cents(last["amount"]) + _cents(again["amount"])),
        }
        zone.write("recognition_control_totals", at, "control_totals", text_table(CONTROL_TOTAL_COLUMNS, [total]))
    texts = {name: value or None for name, value in entry.items()}
    return zone.write("recognition_entries", at, "late_entry", text_table(ENTRY_COLUMNS, [texts]))


def _cents(amount: str) -> int:
    """Return money as the simulator writes it, always with two places, in cents."""
    return int(amount.replace(".", ""))


def _rows(landing: Path, source: str) -> Iterator[dict[str, str]]:
    for file in sorted((landing / STREAM / source).glob("[!._]*/*.csv*")):
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        yield from csv.DictReader(io.StringIO(content.decode(), newline=""))


def _latest(landing: Path) -> datetime:
    """Return the latest arrival of any batch."""
    found = [each.name for each in landing.glob("*/*/[!._]*") if each.is_dir()]
    return datetime.strptime(max(found), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
