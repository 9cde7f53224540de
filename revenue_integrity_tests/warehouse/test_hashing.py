"""Content hashes: the definition worked out by hand with hashlib, and what must and must not change a hash."""

import hashlib
from decimal import Decimal
from itertools import permutations

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_integrity.landing.datasets import quarantine_table
from revenue_integrity.model import table as column
from revenue_integrity.model.table import table
from revenue_integrity.warehouse.hashing import canonical_digest, content_hash, ordered_by
from revenue_integrity.warehouse.storage import arrow_schema, write_partition
from revenue_integrity_tests.support import MARCH, SAMPLE, sample_rows

EMPTY_HEADER = "month\tid\tkind\tnote\tamount_cents\tracks\tkwh\tshare\tlate\tchecked\tday\tposted_at\n"

TEXTS = table("s", "mart", "texts", "Texts.", ("id",), [column.text("id", "Id."), column.text("note", "Note.", null=True)])


def hash_of(rows: pd.DataFrame) -> str:
    """Return the content hash of rows after a write."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return write_partition(connection, SAMPLE, MARCH, rows).content_hash


def hash_of_texts(rows: list[tuple[str, str | None]]) -> str:
    """Return the digest of rows of two texts."""
    with duckdb.connect() as connection:
        connection.register("given_rows", pa.table({"id": [row[0] for row in rows], "note": [row[1] for row in rows]}))
        return canonical_digest(connection, TEXTS, "given_rows")


def test_a_hash_is_what_the_definition_says() -> None:
    rows = sample_rows(
        ids=("B-2", "A-1"),
        note=["tab\tback\\slash\nnew\rreturn", None],
        amount_cents=pd.Series([-5, 7], dtype="int64"),
        racks=pd.array([None, 50], dtype="Int64"),
        kwh=[Decimal("1.5"), Decimal("0")],
        share=[Decimal("-0.5"), None],
        late=[True, False],
        posted_at=pd.to_datetime(["1970-01-01T00:00:01.000002Z", None], format="ISO8601").as_unit("us"),
    )
    text = (
        EMPTY_HEADER
        + "2025-03-01\tA-1\ta\t\\N\t7\t50\t0.000\t\\N\tfalse\t\\N\t2025-03-01\t\\N\n"
        + "2025-03-01\tB-2\ta\ttab\\tback\\\\slash\\nnew\\rreturn\t-5\t\\N\t1.500\t-0.500000\ttrue\t\\N\t2025-03-01\t1000002\n"
    )
    assert hash_of(rows) == hashlib.sha256(text.encode()).hexdigest()


def test_a_month_without_rows_is_its_header() -> None:
    assert hash_of(sample_rows(ids=())) == hashlib.sha256(EMPTY_HEADER.encode()).hexdigest()


def test_the_order_of_rows_does_not_matter() -> None:
    ids = tuple(f"A-{number}" for number in range(50))
    rows = sample_rows(ids=ids)
    assert hash_of(rows.sample(frac=1, random_state=4).reset_index(drop=True)) == hash_of(rows)


def test_rows_of_one_key_are_ordered_by_what_else_names_them() -> None:
    refused = pd.DataFrame(
        {
            "stream": "colocation",
            "source": "sites",
            "batch_id": "colocation/sites/20250306T000000Z",
            "file_name": ["a.csv", "a.csv", "b.csv", None],
            "row_number": pd.array([2, 10, 1, None], "Int64"),
            "month": pd.Series([None] * 4, dtype="datetime64[us]"),
            "dq_errors": ["one", "two", "three", "whole"],
            "raw": None,
        }
    )
    declared = quarantine_table("colocation")
    found = set()
    for order in permutations(range(4)):
        rows = pa.Table.from_pandas(refused.iloc[list(order)], schema=arrow_schema(declared), preserve_index=False)
        with duckdb.connect() as connection:
            connection.register("given_rows", rows)
            found.add(canonical_digest(connection, declared, "given_rows"))
    assert len(found) == 1


def test_text_is_ordered_by_its_bytes() -> None:
    rows: list[tuple[str, str | None]] = [("é", "1"), ("a", "2"), ("Z", "3")]
    assert hash_of_texts(rows) == hashlib.sha256("id\tnote\nZ\t3\na\t2\né\t1\n".encode()).hexdigest()


def test_physical_types_do_not_matter() -> None:
    with duckdb.connect() as connection:
        for name, (racks, energy, kind) in {
            "wide": ("3::bigint", "1.5::decimal(18,3)", "'a'::varchar"),
            "narrow": ("3::bigint", "1.500::decimal(9,3)", "'a'::enum('b', 'a')"),
        }.items():
            connection.execute(f"""
                create table {name} as select date '2025-03-01' as month, 'A-1' as id, {kind} as kind, null::varchar as note,
                1::bigint as amount_cents, {racks} as racks, {energy} as kwh, null::decimal(18,6) as share, false as late,
                null::boolean as checked, date '2025-03-01' as day, null::timestamptz as posted_at
            """)
        assert canonical_digest(connection, SAMPLE, "wide") == canonical_digest(connection, SAMPLE, "narrow")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_an_instant_is_an_instant_in_every_session(zone: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"set timezone = '{zone}'")
        rows = sample_rows(ids=("A-1",), posted_at=pd.to_datetime(["2025-03-09T06:30:00Z"]).as_unit("us"))
        write_partition(connection, SAMPLE, MARCH, rows)
        # 2025-03-09 06:30 UTC is 1741501800 seconds after 1970-01-01.
        line = "2025-03-01\tA-1\ta\t\\N\t100\t3\t1.500\t\\N\tfalse\t\\N\t2025-03-01\t1741501800000000\n"
        assert content_hash(connection, SAMPLE, MARCH) == hashlib.sha256((EMPTY_HEADER + line).encode()).hexdigest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (None, "\\N"),
        ("\t", "\\t"),
        ("a\\", "a"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("a ", "a"),
        ("é", "e\u0301"),
    ],
)
def test_texts_that_differ_have_hashes_that_differ(one: str | None, other: str) -> None:
    assert hash_of_texts([("A", one)]) != hash_of_texts([("A", other)])


def test_a_value_cannot_pass_for_two() -> None:
    # A tab in a text must not look like the border to the next field, nor a newline like the next row.
    assert hash_of_texts([("A", "x\tB\ty")]) != hash_of_texts([("A\tx", "B\ty")])
    assert hash_of_texts([("A", "x\nB\ty")]) != hash_of_texts([("A", "x"), ("B", "y")])


def test_run_time_columns_are_no_content() -> None:
    columns = [column.text("id", "Id."), column.instant("seen_at", "When.", null=True)]
    timed = table("s", "mart", "timed", "Timed.", ("id",), columns, content_excludes=("seen_at",))
    with duckdb.connect() as connection:
        connection.execute("create table now_rows as select 'A' as id, timestamptz '2025-01-01 00:00:00Z' as seen_at")
        digest = canonical_digest(connection, timed, "now_rows")
    assert digest == hashlib.sha256(b"id\nA\n").hexdigest()


@given(st.dictionaries(st.text(max_size=6), st.none() | st.text(max_size=8), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_text_hashes_as_defined(rows: dict[str, str | None]) -> None:
    rows = {key: value for key, value in rows.items() if "\0" not in f"{key}{value}"}

    def field(value: str | None) -> str:
        if value is None:
            return "\\N"
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    ordered = sorted(rows.items(), key=lambda row: row[0].encode())
    text = "id\tnote\n" + "".join(f"{field(key)}\t{field(value)}\n" for key, value in ordered)
    assert hash_of_texts(list(rows.items())) == hashlib.sha256(text.encode()).hexdigest()


def test_more_rows_than_one_batch_of_the_engine() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table many as select printf('%07d', i) as id, null::varchar as note from range(250000) t(i)")
        digest = hashlib.sha256(b"id\tnote\n")
        for number in range(250_000):
            digest.update(f"{number:07d}\t\\N\n".encode())
        assert canonical_digest(connection, TEXTS, "many") == digest.hexdigest()


def test_a_column_that_has_one_value_orders_nothing() -> None:
    rows = sample_rows(ids=("C-3", "A-1", "B-2"))
    month = f"{SAMPLE.qualified} where month = $month"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        write_partition(connection, SAMPLE, MARCH, rows)
        whole = canonical_digest(connection, SAMPLE, month, month=MARCH)
        assert canonical_digest(connection, SAMPLE, month, alike_in=("month",), month=MARCH) == whole
        assert content_hash(connection, SAMPLE, MARCH) == whole
    assert ordered_by(("month", "id"), ("month",)) == ' order by "id"'
    assert ordered_by(("month",), ("month",)) == ""
