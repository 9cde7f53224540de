"""The month's figures as a first try writes them: pandas, `Decimal`, a line at a time.

Belongs here: what the product is compared with: reading the files, schedules in equal months, what was recognized and billed,
deferred revenue and remaining obligations by deal. It leaves out what the product does beside that: versions of lines, other
policies, allocation, mapping, quarantine, hashes, reconciliation, causes, publishing. Does not belong here: anything clever.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pandas as pd

CENT = Decimal("0.01")


def read_source(landing: Path, source: str) -> pd.DataFrame:
    """Read all files of a source; amounts become exact decimals."""
    frames = [pd.read_csv(file, dtype=str) for file in sorted((landing / "bookings" / source).glob("*/*.csv"))]
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(amount=rows["amount"].map(Decimal))


def schedule(amount: Decimal, start: date, months: int) -> dict[int, Decimal]:
    """Return the amount of each month, by the number of the month."""
    first = start.year * 12 + start.month
    found, before = {}, Decimal(0)
    for number in range(1, months + 1):
        so_far = (amount * number / months).quantize(CENT, ROUND_HALF_UP)
        found[first + number - 1] = so_far - before
        before = so_far
    return found


def run(landing: Path, month: date) -> dict[str, int]:
    """Read the files and return the month's figures in cents."""
    number = month.year * 12 + month.month
    expected: dict[str, Decimal] = {}
    remaining: dict[str, Decimal] = {}
    for _, line in read_source(landing, "deal_lines").iterrows():
        deal = line["deal_id"]
        due = schedule(line["amount"], date.fromisoformat(line["start_date"]), int(line["duration_months"]))
        expected[deal] = expected.get(deal, Decimal(0)) + due.get(number, Decimal(0))
        remaining[deal] = remaining.get(deal, Decimal(0)) + sum((each for at, each in due.items() if at > number), Decimal(0))
    entries = read_source(landing, "recognition_entries")
    recognized = entries[entries["period"] == f"{month:%Y-%m}"].groupby("deal_id")["amount"].sum()
    in_time = entries[entries["posted_at"] <= "2025-04-08"].groupby("deal_id")["amount"].sum()
    billed = read_source(landing, "billings").groupby("deal_id")["amount"].sum()
    deferred = {deal: max(Decimal(0), cents - in_time.get(deal, Decimal(0))) for deal, cents in billed.items()}
    figures = {
        "expected_cents": expected.values(),
        "recognized_cents": recognized,
        "deferred_revenue_cents": deferred.values(),
        "rpo_cents": remaining.values(),
    }
    return {name: int(sum(values, Decimal(0)) * 100) for name, values in figures.items()}
