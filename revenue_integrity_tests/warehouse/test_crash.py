"""A write that is cut off: a full disk, a killed process. What stood there before is readable, and the next write succeeds."""

import os
import signal
import time
from pathlib import Path

from revenue_integrity.computing.table_month import Computed, replace_month
from revenue_integrity.warehouse import catalog, database
from revenue_integrity.warehouse.storage import read_partitions
from revenue_integrity_tests.processes import Program
from revenue_integrity_tests.support import MARCH, SAMPLE, home_settings, python, sample_rows

MANY_ROWS = """
select date '2025-03-01' as month, 'B-' || i as id, 'a' as kind, sha256(i::varchar) || sha256((i + 1)::varchar) as note,
    i::bigint as amount_cents, null::bigint as racks, 1.5::decimal(18,3) as kwh, null::decimal(18,6) as share, false as late,
    null::boolean as checked, date '2025-03-01' as day, null::timestamptz as posted_at
from range({rows}) as numbers(i)
"""
"""Some 130 bytes a row that no compression makes small."""

WRITER = """
import pathlib, resource, signal, sys
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.warehouse import database
from revenue_integrity.computing.table_month import Computed, replace_month
from revenue_integrity.model.query import Query
from revenue_integrity_tests.support import MARCH, SAMPLE, home_settings

settings = home_settings(pathlib.Path({home!r}), memory_limit="256MB")
{before}
with database.connect(settings) as connection:
    print("open", flush=True)
    replace_month(connection, settings, SAMPLE, MARCH, Computed(Query({sql!r}), "new", "v", {{}}, {{}}))
print("written", flush=True)
"""


def write_first(home: Path) -> str:
    """Write a good month; return its content hash."""
    settings = home_settings(home)
    with database.connect(settings) as connection:
        written = replace_month(connection, settings, SAMPLE, MARCH, Computed(sample_rows(), "old", "v", {}, {}))
        catalog.refresh(connection, settings, MARCH)
    return written.content_hash


def assert_old_state(home: Path, content_hash: str) -> None:
    """Demand that the old month is there, whole, with its record, and can be replaced."""
    settings = home_settings(home)
    with database.connect(settings) as connection:
        assert read_partitions(connection, SAMPLE, [MARCH])["id"].tolist() == ["A-1", "B-2"]
        catalog.refresh(connection, settings)
        record = catalog.read_catalog(settings).partition(SAMPLE.qualified, MARCH)
        assert record is not None
        assert (record.fingerprint, record.content_hash) == ("old", content_hash)
        replace_month(connection, settings, SAMPLE, MARCH, Computed(sample_rows(ids=("C-3",)), "next", "v", {}, {}))
        assert read_partitions(connection, SAMPLE, [MARCH])["id"].tolist() == ["C-3"]


def test_a_full_disk_leaves_the_old_month(tmp_path: Path) -> None:
    content_hash = write_first(tmp_path)
    # No file may grow beyond 8 MB: what a full disk does to whoever writes, without filling one.
    before = "resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000))"
    done = python(WRITER.format(home=str(tmp_path), before=before, sql=MANY_ROWS.format(rows=400_000)))
    assert "open" in done.stdout
    assert "written" not in done.stdout
    assert done.returncode == 1
    told = f"WarehouseError: the disk of {home_settings(tmp_path).warehouse_path} is full. Make room and run again"
    assert told in done.stderr
    assert_old_state(tmp_path, content_hash)


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_month(tmp_path: Path) -> None:
    content_hash = write_first(tmp_path)
    size = (tmp_path / "warehouse.duckdb").stat().st_size
    code = WRITER.format(home=str(tmp_path), before="", sql=MANY_ROWS.format(rows=20_000_000))
    process = Program(code)
    try:
        assert process.stdout.readline() == "open\n"
        # Killed once bytes of the new month stand in the file: a small memory limit makes the engine write ahead.
        deadline = time.monotonic() + 60
        while (tmp_path / "warehouse.duckdb").stat().st_size < size + 1_000_000:
            assert process.poll() is None, "the write ended before it could be killed"
            assert time.monotonic() < deadline, "nothing was written within a minute"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
    assert_old_state(tmp_path, content_hash)


def test_a_kill_between_commit_and_catalog_is_healed(tmp_path: Path) -> None:
    write_first(tmp_path)
    settings = home_settings(tmp_path)
    code = WRITER.format(home=str(tmp_path), before="", sql=MANY_ROWS.format(rows=3))
    code = code.replace('print("written", flush=True)', "import os; os.kill(os.getpid(), signal.SIGKILL)")
    assert python(code).returncode == -signal.SIGKILL
    record = catalog.read_catalog(settings).partition(SAMPLE.qualified, MARCH)
    assert record is not None
    assert record.fingerprint == "old", "the copy beside the warehouse is not written by the killed process"
    with database.connect(settings) as connection:
        catalog.refresh(connection, settings)
    record = catalog.read_catalog(settings).partition(SAMPLE.qualified, MARCH)
    assert record is not None
    assert (record.fingerprint, record.rows) == ("new", 3)
