"""The reconcile engine over a declaration of its own: units side by side, views, tolerances to the last place, absent sources."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_integrity.close.reconcile import declare, results_query, summary_query
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query
from revenue_integrity.model.reconciliation import CURRENCY, CURRENT, Reconciliation, Tolerance
from revenue_integrity.model.source import Source, SourceColumn
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import MARCH, home_settings

COUNTS, WEIGHTS = (
    Source(
        "toy",
        name,
        "What was counted.",
        (SourceColumn("month", "month", "Month."), SourceColumn("shelf", "id", "Shelf.")),
        ("shelf",),
    )
    for name in ("counts", "weights")
)

RECONS = declare(
    "toy",
    "revenue_integrity_tests.close",
    (
        Reconciliation("counted", "Counts agree.", "first count", "second count", ("shelf",), unit="count", needs=(COUNTS,)),
        Reconciliation(
            "paid", "Payments are due.", "paid", "due", ("shelf", "owner"), views=(CURRENT,),
            tolerance=Tolerance("tolerance_cents", "tolerance_share"),
        ),
        Reconciliation(
            "weighed", "Weights agree.", "weight", "expected weight", ("shelf",), unit=CURRENCY, views=(CURRENT,),
            tolerance=Tolerance("invoice_tolerance"), needs=(COUNTS, WEIGHTS),
        ),
    ),
    (column.text("shelf", "The shelf.", null=True), column.text("owner", "The owner.", null=True)),
    prefix="toy_",
    places=6,
)  # fmt: skip

TABLES = """
    create schema meta;
    create table meta.batches (source varchar, stream varchar, status varchar);
    insert into meta.batches values ('counts', 'toy', 'loaded'), ('weights', 'toy', 'loaded');
    create table counts (shelf varchar, left_current bigint, left_as_of_close bigint, right_amount bigint);
    create table payments (shelf varchar, owner varchar, paid bigint, due bigint);
    create table weights (shelf varchar, weight decimal(38, 6), expected decimal(38, 6));
    insert into counts values ('A', 1, 0, 1), ('B', 1, 1, 0);
    insert into payments values
        ('A', 'ÄB "1"', 10101, 10000), ('A', null, 101, 0), ('B', null, 100, 0), ('B', 'X', 20202, 20001), ('C', 'X', 99, 300);
    insert into weights values ('A', 1.010000, 1.0), ('B', -2.010001, -2.0);
"""
"""Counts, payments and weights of some shelves."""


def rows(connection: duckdb.DuckDBPyConnection, query: Query) -> list[dict[str, Any]]:
    return connection.sql(query.sql, params=query.bound).to_arrow_table().to_pylist()


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(TABLES)
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return home_settings(tmp_path, tolerance_cents=100, tolerance_share=Decimal("0.01"), currency="EUR")


def by_key(found: list[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {(row["recon"], row["view"], row["row_key"]): tuple(row[name] for name in names) for row in found}


def test_each_reconciliation_has_its_unit_grain_views_and_tolerance(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    found = rows(connection, results_query(RECONS, MARCH, settings))
    assert list(found[0]) == RECONS.results.columns
    cents = by_key([row for row in found if row["unit"] == "cents"], "left_cents", "right_cents", "variance_cents", "status")
    assert cents == {
        # 1 % of 10,000 is 100, and 101 is more than either; beside a right side of 0 only the amount counts.
        ("paid", "current", '["A","ÄB \\"1\\""]'): (10101, 10000, 101, "breach"),
        ("paid", "current", '["A",null]'): (101, 0, 101, "breach"),
        ("paid", "current", '["B",null]'): (100, 0, 100, "within_tolerance"),
        ("paid", "current", '["B","X"]'): (20202, 20001, 201, "breach"),
        ("paid", "current", '["C","X"]'): (99, 300, -201, "breach"),
    }
    others = by_key([row for row in found if row["unit"] != "cents"], "unit", "left_value", "variance_value", "status", "owner")
    assert others == {
        ("counted", "as_of_close", '["A",null]'): ("count", 0, -1, "breach", None),
        ("counted", "as_of_close", '["B",null]'): ("count", 1, 1, "breach", None),
        ("counted", "current", '["A",null]'): ("count", 1, 0, "matched", None),
        ("counted", "current", '["B",null]'): ("count", 1, 1, "breach", None),
        ("weighed", "current", '["A",null]'): ("eur", Decimal("1.01"), Decimal("0.01"), "within_tolerance", None),
        ("weighed", "current", '["B",null]'): ("eur", Decimal("-2.010001"), Decimal("-0.010001"), "breach", None),
    }


def test_a_share_is_exact(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """201 of 20,001 is 1.004950 %: to the sixth place of the share."""
    wider = {share: settings.model_copy(update={"tolerance_share": Decimal(share)}) for share in ("0.010049", "0.010050")}
    status = {
        share: by_key(rows(connection, results_query(RECONS, MARCH, each)), "status")["paid", "current", '["B","X"]']
        for share, each in wider.items()
    }
    assert status == {"0.010049": ("breach",), "0.010050": ("within_tolerance",)}


def test_a_reconciliation_is_absent_without_a_source_that_it_needs(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    connection.execute("update meta.batches set status = 'rejected' where source = 'weights'")
    assert {row["recon"] for row in rows(connection, results_query(RECONS, MARCH, settings))} == {"counted", "paid"}
    connection.execute("update meta.batches set stream = 'other'")
    assert {row["recon"] for row in rows(connection, results_query(RECONS, MARCH, settings))} == {"paid"}


def test_totals_are_signed_and_gross_in_the_unit_of_the_row(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    connection.execute("create schema recon")
    query = results_query(RECONS, MARCH, settings)
    connection.execute(f"create table {RECONS.results.qualified} as {query.sql}", query.bound)
    found = rows(connection, summary_query(RECONS, MARCH, settings))
    assert list(found[0]) == RECONS.summary.columns
    totals = {
        (row["recon"], row["view"]): tuple(
            row[name] for name in ("unit", "rows", "breaches", "variance_signed", "variance_gross")
        )
        for row in found
    }
    assert totals == {
        ("paid", "current"): ("cents", 5, 4, 302, 704),
        ("counted", "current"): ("count", 2, 1, 1, 1),
        ("counted", "as_of_close"): ("count", 2, 2, 0, 2),
        ("weighed", "current"): ("eur", 2, 1, Decimal("-0.000001"), Decimal("0.020001")),
    }
    assert {row["month"] for row in found} == {date(2025, 3, 1)}
