"""What is on record of partitions: fingerprints, and the copies beside the warehouse."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from revenue_integrity import clock, files
from revenue_integrity.warehouse import catalog
from revenue_integrity_tests.support import APRIL, MARCH, SAMPLE, home_settings


def record(connection: duckdb.DuckDBPyConnection, **changes: object) -> None:
    """Put a month of the sample on record."""
    given = {
        "month": MARCH,
        "made_from": "f1",
        "content_hash": "h1",
        "rows": 2,
        "code_version": "v1",
        "settings": {"currency": "USD"},
        "inputs": {"raw.sites@2025-03": "x"},
    } | changes
    catalog.record(connection, SAMPLE, **given)  # type: ignore[arg-type]  # one dictionary of different types


def test_a_fingerprint_sees_code_settings_and_each_input() -> None:
    base = catalog.fingerprint("v1", {"s": "1"}, {"a": "x", "b": "y"})
    assert catalog.fingerprint("v1", {"s": "1"}, {"b": "y", "a": "x"}) == base
    others = [
        catalog.fingerprint("v2", {"s": "1"}, {"a": "x", "b": "y"}),
        catalog.fingerprint("v1", {"s": "2"}, {"a": "x", "b": "y"}),
        catalog.fingerprint("v1", {"s": "1"}, {"a": "y", "b": "x"}),
        catalog.fingerprint("v1", {"s": "1"}, {"a": "x", "b": catalog.ABSENT}),
        catalog.fingerprint("v1", {"s": "1"}, {"a": "x"}),
    ]
    assert len({base, *others}) == 6


def test_records_are_read_beside_the_warehouse(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with duckdb.connect(settings.warehouse_path) as connection, clock.held_at(datetime(2025, 5, 2, 1, 2, 3, 4, tzinfo=UTC)):
        record(connection)
        record(connection, month=APRIL, content_hash="h2")
        record(connection, content_hash="h3")
        catalog.refresh(connection, settings)
        # The warehouse is open in this process: whoever reads the copies needs no turn.
        known = catalog.read_catalog(settings)
    assert known.content_hash("mart.sample", MARCH) == "h3"
    assert known.content_hash("mart.sample", APRIL) == "h2"
    assert known.content_hash("mart.other", APRIL) is None
    held = known.partition("mart.sample", MARCH)
    assert held is not None
    assert held.computed_at == "2025-05-02T01:02:03.000004Z"
    assert (held.settings, held.inputs) == ({"currency": "USD"}, {"raw.sites@2025-03": "x"})


def test_a_month_that_is_gone_from_the_warehouse_is_gone_from_the_copies(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with duckdb.connect(settings.warehouse_path) as connection:
        record(connection)
        record(connection, month=APRIL)
        catalog.refresh(connection, settings)
        connection.execute("delete from meta.partitions where month = '2025-04-01'")
        catalog.refresh(connection, settings, MARCH)
        assert catalog.read_catalog(settings).partition("mart.sample", APRIL), "only March was looked at"
        catalog.refresh(connection, settings)
        assert catalog.read_catalog(settings).partition("mart.sample", APRIL) is None


def test_a_record_is_part_of_the_transaction(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with duckdb.connect(settings.warehouse_path) as connection:
        record(connection)
        connection.begin()
        record(connection, content_hash="lost")
        connection.rollback()
        catalog.refresh(connection, settings)
    assert catalog.read_catalog(settings).content_hash("mart.sample", MARCH) == "h1"


def test_slices_name_the_months_for_which_a_source_has_rows(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    with duckdb.connect(settings.warehouse_path) as connection:
        record(connection)
        connection.execute("create table meta.slices (source varchar, month date, hash varchar)")
        connection.execute("insert into meta.slices values ('sites', '2025-04-01', 'b'), ('sites', '2025-03-01', 'a')")
        catalog.refresh(connection, settings)
    known = catalog.read_catalog(settings)
    assert known.slice_months("sites") == [MARCH, APRIL]
    assert known.slice_hash("sites", APRIL) == "b"
    assert known.slice_hash("site", APRIL) is None


def test_the_same_text_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "x.json"
    assert files.write_if_changed(file, "one")
    inode = file.stat().st_ino
    assert not files.write_if_changed(file, "one")
    assert file.stat().st_ino == inode
    assert files.write_if_changed(file, "two")
    assert file.read_text(encoding="utf-8") == "two"
    assert [each.name for each in file.parent.iterdir()] == ["x.json"]
