"""Each rule of a declaration stops a row, whether it came as a frame or from the engine, and says which and why."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pandera.pandas as pa
import pytest

from revenue_integrity.model import table as column
from revenue_integrity.model.table import table
from revenue_integrity.warehouse.storage import arrow_schema, ensure_table
from revenue_integrity.warehouse.validation import SAMPLE_ROWS, SchemaViolation, column_rules, validate_frame, validate_rows
from revenue_integrity_tests.support import MARCH, SAMPLE, SHIPPED, sample_rows

BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"id": [None, "B-2"]}, "id is empty"),
    ({"id": ["a-1", "B-2"]}, r"id does not match ^(?:[A-Z]+-[0-9]+)\Z"),
    ({"id": ["A-1\n", "B-2"]}, r"id does not match ^(?:[A-Z]+-[0-9]+)\Z"),
    ({"kind": ["c", "a"]}, "kind is none of a, b"),
    ({"kind": [None, "a"]}, "kind is empty"),
    ({"amount_cents": [-1001, 0]}, "amount_cents is below -1000"),
    ({"racks": pd.array([-1, None], dtype="Int64")}, "racks is below 0"),
    ({"racks": pd.array([51, None], dtype="Int64")}, "racks is above 50"),
    ({"kwh": [Decimal("-0.001"), Decimal(1)]}, "kwh is below 0"),
    ({"kwh": [Decimal("1000.001"), Decimal(1)]}, "kwh is above 1000"),
    ({"kwh": [None, Decimal(1)]}, "kwh is empty"),
    ({"day": pd.to_datetime([None, "2025-03-01"]).as_unit("us")}, "day is empty"),
    ({"id": ["A-1", "A-1"]}, "the key (month, id) stands more than once"),
]


def in_the_engine(rows: pd.DataFrame) -> None:
    """Judge rows that stand in a table."""
    import pyarrow

    with duckdb.connect() as connection:
        ensure_table(connection, SAMPLE)
        connection.register("given_rows", pyarrow.Table.from_pandas(rows, schema=arrow_schema(SAMPLE), preserve_index=False))
        connection.execute("insert into mart.sample by name select * from given_rows")
        validate_rows(connection, SAMPLE, MARCH)


def test_good_rows_pass_at_their_borders() -> None:
    rows = sample_rows(
        kind=["a", "b"],
        amount_cents=pd.Series([-1000, 5], dtype="int64"),
        racks=pd.array([0, 50], dtype="Int64"),
        kwh=[Decimal("0.000"), Decimal("1000.000")],
    )
    validate_frame(SAMPLE, MARCH, rows)
    in_the_engine(rows)


@pytest.mark.parametrize(("change", "rule"), BROKEN, ids=[f"{rule}-{number}" for number, (_, rule) in enumerate(BROKEN)])
def test_each_rule_stops_rows_in_the_engine_and_names_them(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(SchemaViolation) as refused:
        in_the_engine(sample_rows(**change))
    (violation,) = refused.value.violations
    assert violation.rule == rule
    assert violation.rows == 1
    assert len(violation.sample) == 1
    assert f"mart.sample 2025-03: {rule} (1 rows)" in str(refused.value)


@pytest.mark.parametrize(("change", "rule"), BROKEN, ids=[f"{rule}-{number}" for number, (_, rule) in enumerate(BROKEN)])
def test_the_same_rules_stop_frames(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(SchemaViolation) as refused:
        validate_frame(SAMPLE, MARCH, sample_rows(**change))
    named = "id" if "key" in rule else rule.split()[0]
    assert any(named in violation.rule for violation in refused.value.violations)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_cents": [1.0, 2.0]},
        {"late": ["yes", "no"]},
        {"day": ["2025-03-01", "2025-03-02"]},
        {"posted_at": pd.to_datetime(["2025-03-01", None]).as_unit("us")},
        {"racks": [1.0, None]},
    ],
)
def test_a_frame_of_other_types_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SchemaViolation, match=next(iter(change))):
        validate_frame(SAMPLE, MARCH, sample_rows(**change))


def test_all_broken_rules_are_told_at_once_and_samples_are_capped() -> None:
    ids = tuple(f"A-{number}" for number in range(100))
    rows = sample_rows(ids=ids, kind=["c"] * 100, amount_cents=pd.Series([-2000] * 60 + [0] * 40, dtype="int64"))
    with pytest.raises(SchemaViolation) as refused:
        in_the_engine(rows)
    assert {each.rule: each.rows for each in refused.value.violations} == {
        "kind is none of a, b": 100,
        "amount_cents is below -1000": 60,
    }
    assert all(len(each.sample) == SAMPLE_ROWS for each in refused.value.violations)


def test_rows_of_other_months_are_not_judged() -> None:
    rows = sample_rows(month=pd.Timestamp("2025-04-01").date(), kind=["c", "c"])
    in_the_engine(rows)


def test_a_quote_in_a_declared_value_is_a_value() -> None:
    quoted = table("s", "mart", "quoted", "Q.", ("month",), [column.month(), column.text("who", "Who.", isin=("O'Neil",))])
    with duckdb.connect() as connection:
        ensure_table(connection, quoted)
        connection.execute("insert into mart.quoted values ('2025-03-01', 'O''Neil')")
        validate_rows(connection, quoted, MARCH)
        connection.execute("update mart.quoted set who = 'Oneil'")
        with pytest.raises(SchemaViolation, match="who is none of O'Neil"):
            validate_rows(connection, quoted, MARCH)


def test_a_rule_that_the_engine_cannot_judge_is_refused_at_once() -> None:
    strange = pa.Column("int64", checks=[pa.Check.ne(3)], name="n", metadata={"sql": "BIGINT", "unit": ""})
    declared = table("s", "mart", "strange", "S.", ("month",), [column.month(), strange])
    with pytest.raises(TypeError, match="the rule 'not_equal_to' has no SQL form"):
        column_rules(declared)


def test_every_table_of_the_product_can_be_judged_in_the_engine(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        for declared in SHIPPED.tables.values():
            if declared.partition and declared.layer != "raw":
                ensure_table(connection, declared)
                validate_rows(connection, declared, MARCH)
