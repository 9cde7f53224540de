"""Writing a month in one transaction: what is refused, and that what stood there stays, on real DuckDB files."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pandas.testing
import pyarrow as pa
import pytest

from revenue_integrity.computing.table_month import Computed, replace_month
from revenue_integrity.errors import WarehouseError
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query
from revenue_integrity.model.table import table
from revenue_integrity.warehouse import catalog, database
from revenue_integrity.warehouse.storage import (
    Sliced,
    Written,
    ensure_table,
    exact_frame,
    hash_of_slices,
    read_partitions,
    write_partition,
)
from revenue_integrity.warehouse.validation import SchemaViolation
from revenue_integrity_tests.support import APRIL, MARCH, SAMPLE, home_settings, sample_rows


def write(home: Path, value: pd.DataFrame | Query, month: date = MARCH, made_from: str = "f") -> Written:
    """Write a month as the IO manager does."""
    settings = home_settings(home)
    with database.connect(settings) as connection:
        written = replace_month(connection, settings, SAMPLE, month, Computed(value, made_from, "v", {}, {}))
        catalog.refresh(connection, settings, month)
    return written


def read(home: Path, *wanted: date) -> pd.DataFrame:
    """Read months back."""
    with database.connect(home_settings(home), read_only=True) as connection:
        return read_partitions(connection, SAMPLE, wanted or [MARCH, APRIL])


def as_query(frame: pd.DataFrame, directory: Path, columns: str = "*") -> Query:
    """Return a query over the same rows, which the engine reads by itself."""
    file = directory / "rows.parquet"
    frame.to_parquet(file)
    casts = ", ".join(f'"{name}"::{SAMPLE.sql_type(name)} as "{name}"' for name in frame.columns if name in SAMPLE.columns)
    others = "".join(f', "{name}"' for name in frame.columns if name not in SAMPLE.columns)
    return Query(f"select {columns} from (select {casts}{others} from read_parquet($file))", {"file": str(file)})


def test_a_month_comes_back_as_it_went_in(tmp_path: Path) -> None:
    rows = sample_rows(
        note=["tab\there, line\nbreak", ""],
        share=[Decimal("0.333333"), None],
        checked=pd.array([True, None], dtype="boolean"),
        racks=pd.array([None, 50], dtype="Int64"),
        amount_cents=pd.Series([2**63 - 1, -1000], dtype="int64"),
        posted_at=pd.to_datetime(["2025-03-01T00:00:00.000001Z", None], format="ISO8601").as_unit("us"),
    )
    written = write(tmp_path, rows)
    assert written.rows == 2
    pandas.testing.assert_frame_equal(read(tmp_path), rows)


@pytest.mark.parametrize("how", ["frame", "query"])
def test_columns_go_by_name_not_by_position(tmp_path: Path, how: str) -> None:
    rows = sample_rows()
    backwards = rows[list(reversed(rows.columns))]
    value = backwards if how == "frame" else as_query(backwards, tmp_path)
    write(tmp_path, value)
    pandas.testing.assert_frame_equal(read(tmp_path), rows)


@pytest.mark.parametrize("how", ["frame", "query"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"drop": "kwh"}, r"missing \['kwh'\], unknown \[\]"),
        ({"add": "surprise"}, r"missing \[\], unknown \['surprise'\]"),
        ({"drop": "kwh", "add": "KWH "}, r"missing \['kwh'\], unknown \['KWH '\]"),
    ],
)
def test_other_columns_than_declared_are_refused(tmp_path: Path, how: str, change: dict[str, str], told: str) -> None:
    write(tmp_path, sample_rows(ids=("A-1",)))
    rows = sample_rows()
    if "drop" in change:
        rows = rows.drop(columns=change["drop"])
    if "add" in change:
        rows[change["add"]] = 1
    with pytest.raises(WarehouseError, match=told):
        write(tmp_path, rows if how == "frame" else as_query(rows, tmp_path))
    assert read(tmp_path)["id"].tolist() == ["A-1"]


@pytest.mark.parametrize("how", ["frame", "query"])
def test_rows_of_another_month_are_refused(tmp_path: Path, how: str) -> None:
    write(tmp_path, sample_rows(ids=("A-1",)))
    rows = pd.concat([sample_rows(), sample_rows(APRIL, ids=("C-3",))], ignore_index=True)
    with pytest.raises(WarehouseError, match=r"mart\.sample 2025-03: 1 rows belong to another month"):
        write(tmp_path, rows if how == "frame" else as_query(rows, tmp_path))
    assert read(tmp_path)["id"].tolist() == ["A-1"]


def test_a_failed_insert_leaves_the_old_month_and_its_record(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    before = write(tmp_path, sample_rows(), made_from="good")
    # The third row fails while the insert is under way: a decimal that the declared type cannot hold.
    failing = "select * replace (case when i = 2 then 10::decimal(38,0) ** 17 else kwh end as kwh) exclude (i) from"
    rows = f"{failing} (select r.*, i from mart.sample as r, range(3) as numbers(i) where id = 'A-1')"
    with pytest.raises((WarehouseError, duckdb.Error)):
        write(tmp_path, Query(rows), made_from="bad")
    assert read(tmp_path)["id"].tolist() == ["A-1", "B-2"]
    record = catalog.read_catalog(settings).partition(SAMPLE.qualified, MARCH)
    assert record is not None
    assert (record.fingerprint, record.content_hash) == ("good", before.content_hash)


def test_other_months_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, sample_rows())
    write(tmp_path, sample_rows(APRIL, ids=("C-3",)), APRIL)
    write(tmp_path, sample_rows(ids=("D-4",)))
    assert read(tmp_path)["id"].tolist() == ["D-4", "C-3"]
    assert read(tmp_path, APRIL)["id"].tolist() == ["C-3"]


@pytest.mark.parametrize("how", ["frame", "query"])
def test_an_empty_month_is_a_month_with_a_record(tmp_path: Path, how: str) -> None:
    write(tmp_path, sample_rows())
    empty = sample_rows(ids=())
    written = write(tmp_path, empty if how == "frame" else as_query(empty, tmp_path))
    assert written.rows == 0
    assert read(tmp_path).empty
    assert read(tmp_path).dtypes.to_dict() == sample_rows().dtypes.to_dict()
    record = catalog.read_catalog(home_settings(tmp_path)).partition(SAMPLE.qualified, MARCH)
    assert record is not None
    assert (record.rows, record.content_hash) == (0, written.content_hash)


@pytest.mark.parametrize("how", ["frame", "query"])
def test_a_row_that_breaks_the_declaration_writes_nothing(tmp_path: Path, how: str) -> None:
    write(tmp_path, sample_rows(ids=("A-1",)))
    rows = sample_rows(kind=["a", "c"])
    with pytest.raises(SchemaViolation, match=r"mart\.sample 2025-03: .*kind"):
        write(tmp_path, rows if how == "frame" else as_query(rows, tmp_path))
    assert read(tmp_path)["id"].tolist() == ["A-1"]


def test_an_exact_decimal_that_does_not_fit_is_refused_not_rounded(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"(?i)rescal|precision|data loss"):
        write(tmp_path, sample_rows(kwh=[Decimal("1.0005"), Decimal(1)]))


def test_a_table_is_brought_up_to_its_declaration(tmp_path: Path) -> None:
    def declared(*columns: Any) -> Any:
        return table("colocation", "mart", "growing", "A table that changes.", ("month", "id"), columns)

    month, identifier = column.month(), column.text("id", "Identifier.")
    first = declared(month, identifier, column.integer("size", "Size."), column.text("gone", "Not needed.", null=True))
    second = declared(month, identifier, column.decimal("size", "Size.", unit="kW"), column.text("new", "New.", null=True))
    impossible = declared(month, identifier, column.day("size", "Size."), column.text("new", "New.", null=True))
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        ensure_table(connection, first)
        connection.execute("insert into mart.growing values ('2025-03-01', 'A', 7, 'x')")
        ensure_table(connection, second)
        assert connection.execute("select * from mart.growing").fetchall() == [(MARCH, "A", Decimal("7.000000"), None)]
        connection.begin()
        with pytest.raises(duckdb.Error):
            ensure_table(connection, impossible)
        connection.rollback()
        assert connection.execute("select size from mart.growing").fetchall() == [(Decimal("7.000000"),)]


def test_a_declaration_that_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        table("s", "mart", "t", "d", ("month",), [column.month(), column.month()])
    with pytest.raises(ValueError, match=r"key columns \['id', 'note'\] are missing or nullable"):
        table("s", "mart", "t", "d", ("month", "id", "note"), [column.month(), column.text("note", "n", null=True)])


# --- A month that is kept in slices: only some days are replaced. ---

SLICED = table(
    "cloud",
    "mart",
    "sliced",
    "A table that is kept in days, for tests.",
    ("month", "day", "id"),
    [
        column.month(),
        column.day("day", "A day."),
        column.text("id", "Identifier."),
        column.integer("amount", "Amount.", unit="rows", ge=0),
        column.text("note", "Free text that is no content.", null=True),
    ],
    slice_column="day",
    content_excludes=("note",),
)

Days = dict[int, list[tuple[str, int]]]
"""Identifiers and amounts by day of March."""


def of_days(days: Days, note: str = "") -> Query:
    """Return rows of some days of March as a query, in the order in which they are given."""
    rows = [
        f"(date '2025-03-01', date '2025-03-{day:02}', '{key}', {amount}::bigint, '{note}')"
        for day, found in days.items()
        for key, amount in found
    ]
    selected = f"select * from (values {', '.join(rows)}) as t(month, day, id, amount, note)"
    nothing = "select date '2025-03-01' as month, date '2025-03-01' as day, '' as id, 0::bigint as amount, '' as note where false"
    return Query(selected if rows else nothing, {})


def days_of_march(*days: int) -> list[date]:
    """Return days of March 2025."""
    return [date(2025, 3, day) for day in days]


class Slices:
    """A warehouse in memory with the table, written as the IO manager writes it."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.kept: dict[str, str] = {}

    def write(self, replaced: list[date], days: Days, note: str = "") -> Written:
        """Replace some days."""
        self.connection.begin()
        try:
            sliced = Sliced(replaced, self.kept)
            written = write_partition(self.connection, SLICED, MARCH, of_days(days, note), sliced)
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
        self.kept = dict(written.slices)
        return written

    def rows(self) -> list[tuple[Any, ...]]:
        """Return day of month, identifier and amount of all rows."""
        return self.connection.execute("select day(day), id, amount from mart.sliced order by all").fetchall()


def test_only_the_days_named_are_replaced() -> None:
    slices = Slices()
    first = slices.write(days_of_march(1, 2, 3), {1: [("A", 1)], 2: [("A", 2), ("B", 3)], 3: [("A", 4)]})
    assert (first.rows, list(first.slices)) == (4, ["2025-03-01", "2025-03-02", "2025-03-03"])
    second = slices.write(days_of_march(2), {2: [("A", 20)]})
    assert slices.rows() == [(1, "A", 1), (2, "A", 20), (3, "A", 4)]
    assert second.rows == 3, "rows of the whole month"
    assert {day for day in first.slices if first.slices[day] != second.slices[day]} == {"2025-03-02"}
    assert second.content_hash != first.content_hash
    # Back to what it was: the hashes are, too.
    third = slices.write(days_of_march(2), {2: [("B", 3), ("A", 2)]})
    assert (third.slices, third.content_hash) == (first.slices, first.content_hash)


def test_day_that_is_emptied_is_no_slice() -> None:
    slices = Slices()
    alone = slices.write(days_of_march(1), {1: [("A", 1)]})
    slices.write(days_of_march(2), {2: [("A", 2)]})
    emptied = slices.write(days_of_march(2), {})
    assert slices.rows() == [(1, "A", 1)]
    assert (dict(emptied.slices), emptied.content_hash) == (dict(alone.slices), alone.content_hash)
    # A day that never had a row leaves no trace either.
    never = slices.write(days_of_march(9), {})
    assert never == emptied
    nothing = slices.write(days_of_march(1), {})
    assert (nothing.rows, nothing.slices) == (0, {})


def test_slices_do_not_depend_on_how_the_month_was_written() -> None:
    days: Days = {day: [(key, day * 10 + len(key)) for key in ("A", "BB")] for day in (1, 2, 3)}
    at_once, one_by_one = Slices(), Slices()
    at_once.write(days_of_march(1, 2, 3), days)
    for day in (3, 1, 2):
        one_by_one.write(days_of_march(day), {day: days[day][::-1]})
    assert at_once.kept == one_by_one.kept
    assert at_once.write([], {}).content_hash == one_by_one.write([], {}).content_hash


def test_what_is_no_content_does_not_change_a_slice() -> None:
    slices = Slices()
    first = slices.write(days_of_march(1), {1: [("A", 1)]}, note="a")
    second = slices.write(days_of_march(1), {1: [("A", 1)]}, note="b")
    assert second == first
    assert slices.connection.execute("select note from mart.sliced").fetchall() == [("b",)]


def test_equal_days_have_other_hashes_than_each_other() -> None:
    # The day is content: two days with the same rows cannot change places unseen.
    slices = Slices()
    written = slices.write(days_of_march(1, 2), {1: [("A", 1)], 2: [("A", 1)]})
    assert len(set(written.slices.values())) == 2


@pytest.mark.parametrize("day", [2, 31])
def test_rows_of_a_day_that_is_not_replaced_are_refused(day: int) -> None:
    slices = Slices()
    slices.write(days_of_march(1, 2), {1: [("A", 1)], 2: [("A", 2)]})
    with pytest.raises(WarehouseError, match="1 rows belong to another day"):
        slices.write(days_of_march(1), {1: [("A", 5)], day: [("Z", 6)]})
    assert slices.rows() == [(1, "A", 1), (2, "A", 2)], "what stood there stays"


def test_row_that_breaks_the_declaration_keeps_all_days() -> None:
    slices = Slices()
    slices.write(days_of_march(1, 2), {1: [("A", 1)], 2: [("A", 2)]})
    for broken in ([("A", -1)], [("A", 1), ("A", 1)]):
        with pytest.raises(SchemaViolation):
            slices.write(days_of_march(2), {2: broken})
    assert slices.rows() == [(1, "A", 1), (2, "A", 2)]


def test_record_of_a_sliced_month_tells_its_days(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with database.connect(settings) as connection:
        sliced = Sliced(days_of_march(1, 2), {})
        computed = Computed(of_days({1: [("A", 1)], 2: [("A", 2)]}), "f", "v", {}, {}, sliced)
        written = replace_month(connection, settings, SLICED, MARCH, computed)
        catalog.refresh(connection, settings, MARCH)
    recorded = catalog.read_catalog(settings).partition(SLICED.qualified, MARCH)
    assert recorded is not None
    assert (dict(recorded.slices), recorded.content_hash) == (dict(written.slices), written.content_hash)
    assert hash_of_slices(recorded.slices) == recorded.content_hash


def test_decimals_are_read_as_they_stand_however_often() -> None:
    values = [Decimal("1.500000"), None, Decimal("-0.000001"), Decimal("1.500000"), Decimal("0.000000"), None, Decimal("12345.6")]
    kind = pa.decimal128(18, 6)
    wide = pa.chunked_array([pa.array(values[:3], pa.decimal128(38, 6)), pa.array(values[3:], pa.decimal128(38, 6))])
    rows = pa.table(
        {
            "name": list("abcdefg"),
            "kwh": pa.chunked_array([pa.array(values[:3], kind), pa.array(values[3:], kind)]),
            "wide": wide,
            "none": pa.nulls(7, kind),
        }
    )
    frame = exact_frame(rows)
    pandas.testing.assert_frame_equal(frame, rows.to_pandas())
    assert [str(value) for value in frame["kwh"]] == [
        "1.500000",
        "None",
        "-0.000001",
        "1.500000",
        "0.000000",
        "None",
        "12345.600000",
    ]
    for few in (rows.slice(0, 0), rows.select(["kwh", "wide"])):
        pandas.testing.assert_frame_equal(exact_frame(few), few.to_pandas())


def test_of_a_month_some_columns_can_be_read_alone(tmp_path: Path) -> None:
    write(tmp_path, sample_rows(ids=("B-2", "A-1")))
    whole = read(tmp_path)
    with database.connect(home_settings(tmp_path), read_only=True) as connection:
        some = read_partitions(connection, SAMPLE, [MARCH], ["kwh", "amount_cents"])
        none = read_partitions(connection, SAMPLE, [APRIL], ["kwh", "amount_cents"])
    # In the order of the key, which need not be among them.
    pandas.testing.assert_frame_equal(some, whole[["kwh", "amount_cents"]])
    assert none.empty
    assert list(none) == ["kwh", "amount_cents"]
