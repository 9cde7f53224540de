"""The lines of disclosures, added up by hand."""

from datetime import date

import pandas as pd
import pytest

from revenue_integrity.model.report import Currency, Published
from revenue_integrity.streams.bookings.disclosures import disclosures

TABLES = {
    "revenue_month": pd.DataFrame(
        {
            "segment": ["Mid", "Mid", "Large"],
            "revenue_class": ["recurring", "recurring", "one_time"],
            "recognized_cents": [100, 20, 7],
        }
    ),
    "deferred_rollforward": pd.DataFrame(
        {"opening_cents": [500, -40], "billed_cents": [0, 100], "recognized_cents": [600, 10], "closing_cents": [-100, 50]}
    ),
    "rpo_by_year": pd.DataFrame({"year": [2026, 2025], "rpo_cents": [30, 900]}),
    "compliance_month": pd.DataFrame(
        {
            "standard": ["asc606", "asc606"],
            "entries": [3, 1],
            "cents": [110, 17],
            "reviewed": [2, 1],
            "reviewed_after_cutoff": [1, 0],
            "without_obligation": [0, 1],
        }
    ),
}


def published(tables: dict[str, pd.DataFrame]) -> Published:
    return Published(date(2025, 3, 1), Currency("USD"), tables)


def test_disclosures_are_the_months_tables_added_up() -> None:
    found = disclosures(published(TABLES))
    assert found is not None
    assert list(found.itertuples(index=False, name=None)) == [
        ("Disaggregation of revenue", "Large", "one-time", 7),
        ("Disaggregation of revenue", "Mid", "recurring", 120),
        ("Contract balances", "Deferred revenue", "opening", 500),
        ("Contract balances", "Deferred revenue", "closing", 50),
        ("Contract balances", "Contract assets", "opening", 40),
        ("Contract balances", "Contract assets", "closing", 100),
        ("Contract balances", "Billed", "in the month", 100),
        ("Contract balances", "Recognized", "in the month", 610),
        ("Remaining performance obligations", "2025", "to be recognized", 900),
        ("Remaining performance obligations", "2026", "to be recognized", 30),
        ("Compliance", "asc606", "4 entries: 3 reviewed, 1 of them after the cutoff, 1 without an obligation", 127),
    ]


@pytest.mark.parametrize("absent", TABLES)
def test_without_a_table_nothing_is_disclosed(absent: str) -> None:
    assert disclosures(published({name: table for name, table in TABLES.items() if name != absent})) is None
