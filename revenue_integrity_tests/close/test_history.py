"""The history of a dimension, fed with statements in every order and packing: it depends on the set of them alone.

Belongs here: the mechanism by itself, with the cases of `utility/history` beside the checkout. Does not belong here: any stream.
"""

import csv
from datetime import date
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.close.history import History
from revenue_integrity.landing.ingest import ingest
from revenue_integrity.model.query import Sql, Template
from revenue_integrity.model.source import Notation, RowRule, Source, SourceColumn
from revenue_integrity.settings import Settings

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "utility" / "history"
COLUMNS = ("customer_name", "address", "city", "state", "zip_code", "customer_type", "account_status")
LAST_DAY = date(2025, 6, 30)

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the history cases are not beside the checkout (../shared/cases)")

CUSTOMERS = Source(
    "holdings",
    "customers",
    "What was said of customers.",
    (
        SourceColumn("customer_id", "id", "The customer."),
        SourceColumn("effective_date", "date", "From when on."),
        SourceColumn("changed_at", "ts", "When it was said."),
        SourceColumn("operation", "enum", "What it does.", required=False, values=("set", "delete", "retract")),
        *(SourceColumn(name, "text", "An attribute.", required=False) for name in COLUMNS[:-2]),
        *(SourceColumn(name, "text", "An attribute.", required=False, caseless=True) for name in COLUMNS[-2:]),
        SourceColumn("told", "text", "The columns that the row has.", required=False, part="told"),
    ),
    key=("customer_id", "effective_date", "changed_at"),
    rules=(RowRule("effective_date = date '9999-12-31'", "'effective_date is no day'"),),
    matters="true",
    notation=Notation(),
)


def history(*untracked: str) -> Sql:
    tracked = tuple(name for name in COLUMNS if name not in untracked)
    declared = History(("customer_id",), tracked, "history/statements", ("changed_at",), ("changed_at",), untracked)
    return Sql("revenue_integrity_tests.close", Template("history/boundaries", (("history", declared),)))


def landed(tmp_path: Path, landing: Path) -> duckdb.DuckDBPyConnection:
    """Ingest statements that were delivered somehow."""
    place = tmp_path / "landing"
    place.mkdir()
    (place / "holdings").symlink_to(landing / "utility")
    connection = duckdb.connect(config={"python_enable_replacements": False, "threads": 1})
    ingest(connection, place, [CUSTOMERS], Settings(home=tmp_path, first_month="2025-01", last_month="2025-06"))
    return connection


def boundaries(connection: duckdb.DuckDBPyConnection, text: Sql, as_of: str = "9999-01-01T00:00:00Z") -> list[dict[str, str]]:
    query = text.query(as_of=as_of, last_day=LAST_DAY)
    found = connection.execute(query.sql, query.bound)
    names = [column[0] for column in found.description]
    return [
        {name: "" if value is None else str(value) for name, value in zip(names, row, strict=True)} for row in found.fetchall()
    ]


def expected(name: str) -> list[dict[str, str]]:
    with (CASES / name / "expected" / "utility_customer_history.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            {key: value for key, value in row.items() if key not in ("month", "customer_key")} for row in csv.DictReader(stream)
        ]
    return sorted(rows, key=lambda row: (row["customer_id"], row["effective_from"]))


WAYS = sorted(each.name for each in (CASES / "log").iterdir() if (each / "landing").is_dir()) if CASES.is_dir() else []


@pytest.mark.parametrize("way", WAYS)
def test_statements_give_one_history_however_they_are_delivered(way: str, tmp_path: Path) -> None:
    found = boundaries(landed(tmp_path, CASES / "log" / way / "landing"), history())
    assert [{name: row[name] for name in expected("log")[0]} for row in found] == expected("log")


def test_a_column_that_is_not_tracked_makes_no_version(tmp_path: Path) -> None:
    found = boundaries(landed(tmp_path, CASES / "log" / "in-order" / "landing"), history("customer_name"))
    wanted = [{name: value for name, value in row.items() if name != "customer_name"} for row in expected("untracked")]
    assert [{name: row[name] for name in wanted[0]} for row in found] == wanted
