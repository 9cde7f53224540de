"""Columns that were renamed: both names are read for one release, and what either release wrote is read as one."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity.model import table as column
from revenue_integrity.model.signed import signed_table
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.hashing import canonical_digest, empty_digest
from revenue_integrity.warehouse.storage import arrow_schema, ensure_table
from revenue_integrity_tests.support import APRIL, MARCH, home_settings


def declared(cost: str) -> Table:
    columns = [column.month(), column.text("id", "Id."), column.decimal(cost, "Cost.", unit="currency units", places=2)]
    return table("toy", "mart", "costs", "Costs.", ("month", "id"), columns)


BEFORE = declared("cost_usd")
NOW = replace(declared("cost"), formerly={"cost": "cost_usd"})


def rows(of: Table, month: object, cost: str) -> pa.Table:
    name = of.columns[-1]
    return pa.table({"month": [month], "id": ["A"], name: [Decimal(cost)]}).cast(arrow_schema(of))


def put(settings: Settings, of: Table, month: object, cost: str) -> None:
    with duckdb.connect() as connection:
        connection.register("given", rows(of, month, cost))
        digest = canonical_digest(connection, of, "given")
    publish.publish(
        settings, of, month, rows(of, month, cost), content_hash=digest, as_of="", code_version="", batches=(), checks=()
    )


def test_a_published_file_says_a_cost_under_both_names(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    put(settings, NOW, MARCH, "1.50")
    file = publish.file_of(settings, "costs", MARCH)
    assert pq.read_table(file, partitioning=None).to_pylist() == [
        {"month": MARCH, "id": "A", "cost": Decimal("1.50"), "cost_usd": Decimal("1.50")}
    ]
    manifest = publish.manifest_in(file.with_name("manifest.json"))
    assert [each["name"] for each in manifest["columns"]] == ["month", "id", "cost", "cost_usd"]
    assert manifest["columns"][-1]["description"].startswith("Deprecated")


def test_months_of_both_releases_are_read_under_the_name_of_today(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    put(settings, BEFORE, MARCH, "1.50")
    put(settings, NOW, APRIL, "2.50")
    read = publish.read_published(settings, NOW, None)
    assert list(read.columns) == ["month", "id", "cost"]
    assert read["cost"].tolist() == [Decimal("1.50"), Decimal("2.50")]


def test_files_of_both_releases_verify_and_a_copy_that_lies_does_not(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    put(settings, BEFORE, MARCH, "1.50")
    put(settings, NOW, APRIL, "2.50")
    files = [publish.file_of(settings, "costs", month) for month in (MARCH, APRIL)]
    with publish.verifying() as connection:
        found = publish.verify_files(connection, NOW, files)
    for file in files:
        facts = publish.facts_of(file)
        assert facts is not None
        assert found[file] == facts.content_hash
    changed = pq.read_table(files[1], partitioning=None)
    pq.write_table(changed.set_column(3, "cost_usd", pa.array([Decimal("9.99")])), files[1])
    with publish.verifying() as connection:
        assert "cost_usd differs from cost" in str(publish.verify_files(connection, NOW, files)[files[1]])


def test_a_file_from_before_a_column_was_declared_verifies_as_it_was_written_and_one_without_its_key_does_not(
    tmp_path: Path,
) -> None:
    settings = home_settings(tmp_path)
    put(settings, BEFORE, MARCH, "1.50")
    file = publish.file_of(settings, "costs", MARCH)
    written = publish.manifest_in(file.with_name("manifest.json"))["content_hash"]
    owned = table(
        "toy", "mart", "costs", "Costs.", ("month", "id"), [*BEFORE.schema.columns.values(), column.text("owner", "Owner.")]
    )
    with publish.verifying() as connection:
        assert publish.verify_files(connection, owned, [file]) == {file: written}
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["id"]), file)
        (found,) = publish.verify_files(connection, owned, [file]).values()
    assert isinstance(found, Exception)


def test_a_new_name_moves_the_content_and_not_what_was_signed() -> None:
    before = signed_table(BEFORE, "cost_usd").projection
    now = signed_table(NOW, "cost", signed_as={"cost": "cost_usd"}).projection
    with duckdb.connect() as connection:
        connection.register("given_before", rows(BEFORE, MARCH, "1.50"))
        connection.register("given_now", rows(NOW, MARCH, "1.50"))
        assert canonical_digest(connection, now, "given_now") == canonical_digest(connection, before, "given_before")
        assert canonical_digest(connection, NOW, "given_now") != canonical_digest(connection, BEFORE, "given_before")
    assert empty_digest(now) == empty_digest(before)


@pytest.mark.parametrize("filled", [True, False])
def test_a_warehouse_of_the_release_before_keeps_its_values_under_the_new_name(filled: bool) -> None:
    with duckdb.connect() as connection:
        ensure_table(connection, BEFORE)
        if filled:
            connection.execute("insert into mart.costs values (date '2025-03-01', 'A', 1.50)")
        ensure_table(connection, NOW)
        held = connection.execute("select month, id, cost from mart.costs").df()
    assert held.empty != filled
    if filled:
        pd.testing.assert_series_equal(held["cost"], pd.Series([1.5], name="cost"))
