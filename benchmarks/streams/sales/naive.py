"""The month's figures as a first try writes them: pandas, `Decimal`, a transaction at a time.

Belongs here: what the product is compared with: reading the JSON, days in three notations, discounts in three, the first of what
came twice, sales by region and category, the difference to the ledger. It leaves out what the product does beside that: exact
digits, versions, quarantine with words, the history of customers, the star schema, reconciliation, causes, hashes, publishing.
Does not belong here: anything clever.
"""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pandas as pd

CENT = Decimal("0.01")


def discount(value: object) -> Decimal:
    """Return a discount as a share."""
    text = str(value)
    return Decimal(text.removesuffix("%")) / 100 if text.endswith("%") else Decimal(text)


def run(landing: Path) -> dict[str, int]:
    """Read the files and return the month's figures in cents and rows."""
    files = sorted((landing / "sales" / "transactions").glob("*/*.json"))
    objects = [each for file in files for each in json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)]
    rows = pd.json_normalize(objects)
    rows["sold_on"] = [pd.Timestamp(text).date() for text in rows["date"]]
    rows = rows[rows["quantity"] > 0].drop_duplicates("transaction_id")
    shares = rows["discount"].map(discount)
    totals = [
        (price * quantity * (1 - share)).quantize(CENT, ROUND_HALF_UP)
        for price, quantity, share in zip(rows["product.price"], rows["quantity"], shares, strict=True)
    ]
    rows = rows.assign(total=totals)
    cells = rows.groupby(["region", "product.category"])["total"].agg(["sum", "count"]).reset_index()
    booked = pd.concat(
        pd.DataFrame(json.loads(file.read_text(encoding="utf-8"))) for file in (landing / "sales" / "ledger").glob("*/*.json")
    )
    booked = booked.assign(amount=booked["amount"].map(Decimal))
    both = cells.merge(booked, left_on=["region", "product.category"], right_on=["region", "category"])
    return {
        "lines": int(cells["count"].sum()),
        "total_cents": int(cells["sum"].sum() * 100),
        "variance_cents": int((both["amount"] - both["sum"]).sum() * 100),
    }
