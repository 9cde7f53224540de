"""What a company discloses of its contracts with customers, put together of the month's tables, a line an amount.

Belongs here: disaggregation of revenue, contract balances, remaining obligations by year, compliance (ASC 606-10-50, IFRS
15.110). Does not belong here: the figures themselves (``mart``), how they are shown (``report``).
"""

from typing import Any

import pandas as pd

from revenue_integrity.exact import named_rows
from revenue_integrity.model.report import Published

_COLUMNS = ["disclosure", "item", "detail", "cents"]

Line = tuple[str, str, str, int]


def disclosures(published: Published) -> pd.DataFrame | None:
    """Return the lines of all disclosures in cents, ``None`` where a table that they are made of is not available."""
    names = ("revenue_month", "deferred_rollforward", "rpo_by_year", "compliance_month")
    revenue, balances, remaining, entries = (published.table(name) for name in names)
    if revenue is None or balances is None or remaining is None or entries is None:
        return None
    lines = [*_disaggregation(revenue), *_balances(balances), *_remaining(remaining), *_compliance(entries)]
    return pd.DataFrame(lines, columns=_COLUMNS).astype({"cents": "int64"})


def _disaggregation(revenue: pd.DataFrame) -> list[Line]:
    parts = revenue.groupby(["segment", "revenue_class"], as_index=False)[["recognized_cents"]].sum()
    return [
        ("Disaggregation of revenue", row.segment, row.revenue_class.replace("_", "-"), int(row.recognized_cents))
        for row in named_rows(parts)
    ]


def _balances(balances: pd.DataFrame) -> list[Line]:
    def positive(cents: "pd.Series[Any]") -> int:
        return int(cents.clip(lower=0).sum())

    opening, closing = balances["opening_cents"], balances["closing_cents"]
    return [
        ("Contract balances", "Deferred revenue", "opening", positive(opening)),
        ("Contract balances", "Deferred revenue", "closing", positive(closing)),
        ("Contract balances", "Contract assets", "opening", positive(-opening)),
        ("Contract balances", "Contract assets", "closing", positive(-closing)),
        ("Contract balances", "Billed", "in the month", int(balances["billed_cents"].sum())),
        ("Contract balances", "Recognized", "in the month", int(balances["recognized_cents"].sum())),
    ]


def _remaining(remaining: pd.DataFrame) -> list[Line]:
    by_year = remaining.sort_values("year")
    return [
        ("Remaining performance obligations", str(row.year), "to be recognized", int(row.rpo_cents))
        for row in named_rows(by_year)
    ]


def _compliance(entries: pd.DataFrame) -> list[Line]:
    counted = ["entries", "cents", "reviewed", "reviewed_after_cutoff", "without_obligation"]
    parts = entries.groupby("standard", as_index=False)[counted].sum()
    return [
        (
            "Compliance",
            row.standard,
            f"{row.entries} entries: {row.reviewed} reviewed, {row.reviewed_after_cutoff} of them after the cutoff,"
            f" {row.without_obligation} without an obligation",
            int(row.cents),
        )
        for row in named_rows(parts)
    ]
