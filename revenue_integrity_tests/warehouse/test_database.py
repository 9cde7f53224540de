"""Opening the warehouse: waiting for another writer, and the sentence when it cannot be opened."""

import os
import threading
import time
from pathlib import Path

import duckdb
import pytest

from revenue_integrity.errors import WarehouseError
from revenue_integrity.warehouse import database
from revenue_integrity_tests.processes import Program, finished
from revenue_integrity_tests.support import home_settings

HOLDER = """
import duckdb, sys, time
with duckdb.connect({file!r}) as connection:
    connection.execute("create or replace table t as select 1 as x")
    print("held", flush=True)
    sys.stdin.readline()
"""


def holder(file: Path) -> Program:
    """Start a process that holds a warehouse until it reads a line."""
    process = Program(HOLDER.format(file=str(file)))
    assert process.stdout.readline() == "held\n"
    return process


def test_whoever_holds_it_is_named_when_patience_ends(tmp_path: Path) -> None:
    settings = home_settings(tmp_path, lock_timeout_seconds=1)
    process = holder(settings.warehouse_path)
    try:
        began = time.monotonic()
        told = rf"is in use by process {process.pid}\. Wait until it is done"
        with pytest.raises(WarehouseError, match=told), database.connect(settings):
            pass
        assert 0.8 < time.monotonic() - began < 10
    finally:
        process.communicate("\n", timeout=30)


def test_it_is_opened_as_soon_as_the_other_is_done(tmp_path: Path) -> None:
    settings = home_settings(tmp_path, lock_timeout_seconds=60)
    process = holder(settings.warehouse_path)
    threading.Timer(0.5, lambda: process.communicate("\n")).start()
    with database.connect(settings) as connection:
        assert connection.execute("select x from t").fetchall() == [(1,)]
    process.wait(timeout=30)


def test_a_failure_leaves_nothing_open(tmp_path: Path) -> None:
    settings = home_settings(tmp_path, lock_timeout_seconds=0)
    with pytest.raises(duckdb.CatalogException), database.connect(settings) as connection:
        connection.execute("select * from nothing")
    process = holder(settings.warehouse_path)
    process.communicate("\n", timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("content", [b"this is no database" * 1000, b"\0" * 20_000])
def test_a_file_that_is_no_warehouse_is_told(tmp_path: Path, content: bytes) -> None:
    settings = home_settings(tmp_path)
    settings.warehouse_path.write_bytes(content)
    with pytest.raises(WarehouseError, match=r"is no readable warehouse\. Restore it"), database.connect(settings):
        pass
    assert settings.warehouse_path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_without_write_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WarehouseError), database.connect(home_settings(tmp_path)):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_the_session_is_in_utc_and_sees_no_python_variables(tmp_path: Path) -> None:
    import pandas as pd

    surprise = pd.DataFrame({"x": [1]})
    with database.connect(home_settings(tmp_path)) as connection:
        assert connection.execute("select current_setting('timezone')").fetchall() == [("UTC",)]
        with pytest.raises(duckdb.CatalogException):
            connection.execute("select * from surprise")
    assert len(surprise) == 1


BOUND = """
import os, sys
from pathlib import Path
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
for threads in (0, 3):
    with database.connect(Settings(home=Path(sys.argv[1]), threads=threads)) as connection:
        print(*connection.execute("select current_setting('threads')").fetchone())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_the_engine_has_as_many_threads_as_the_process_may_use_processors_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    told = finished(BOUND, str(tmp_path))
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["1", "3"]
