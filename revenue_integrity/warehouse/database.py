"""Opening the warehouse, the one DuckDB file of a home.

Belongs here: connecting, waiting for another writer, saying clearly why it cannot be opened. Does not belong here: tables.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from revenue_integrity import process
from revenue_integrity.errors import WarehouseError
from revenue_integrity.settings import Settings

_RETRY_SECONDS = 0.2
"""Pause between two attempts: short against a step of a run, long against an attempt (some milliseconds)."""

_HOLDER = re.compile(r"PID (\d+)")

_FULL = ("no space left", "not enough space", "disk full", "file too large", "quota exceeded")
"""What the system says when there is no room: the disk, a limit on files, a quota."""


def configuration(settings: Settings) -> dict[str, Any]:
    """Return how the engine is set up: exact order of insertion, bounded memory and threads, no look into Python variables."""
    limits: dict[str, Any] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(settings.home / "tmp"),
        "python_enable_replacements": False,
    }
    # By itself the engine counts the processors of the machine, or of a container's limit, not those that a process is bound to;
    # more threads than processors took a tenth more CPU seconds.
    bound = process.processors()
    threads = settings.threads or (bound if bound < (os.cpu_count() or 1) else 0)
    return limits | ({"threads": threads} if threads else {})


@dataclass
class _Held:
    """A connection that is kept open for a while, and its file."""

    file: Path
    connection: duckdb.DuckDBPyConnection


_held: list[_Held] = []
"""The connections that this process keeps open, latest last."""


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Keep the home's warehouse open in this process, so that a run of many steps opens it once.

    Raises:
        WarehouseError: as ``connect``.
    """
    file = settings.warehouse_path
    if any(each.file == file for each in _held):
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    each = _Held(file, _patiently(file, settings, read_only=False))
    _held.append(each)
    try:
        yield
    finally:
        _held.remove(each)
        each.connection.close()


@contextmanager
def connect(settings: Settings, *, read_only: bool = False, path: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the home's warehouse (or another file, ``path``) and close it in any case.

    A DuckDB writer excludes every other process, so this waits for its turn, at most ``lock_timeout_seconds``.

    Raises:
        WarehouseError: another process held the file all that time, or the file is no warehouse, or the disk is full.
    """
    file = path or settings.warehouse_path
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = next((each for each in _held if each.file == file), None)
    connection = kept.connection.cursor() if kept else _patiently(file, settings, read_only)
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    except duckdb.Error as error:
        raise _explained(error, file) from error
    finally:
        connection.close()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Do something whole or not at all, whatever ends it."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _patiently(file: Path, settings: Settings, read_only: bool) -> duckdb.DuckDBPyConnection:
    attempts = int(settings.lock_timeout_seconds / _RETRY_SECONDS)
    for attempt in range(attempts + 1):
        try:
            return duckdb.connect(file, read_only=read_only, config=configuration(settings))
        except duckdb.IOException as error:
            if "lock" not in str(error) or attempt == attempts:
                raise _explained(error, file) from error
            time.sleep(_RETRY_SECONDS)
        except duckdb.Error as error:
            raise _explained(error, file) from error
    raise AssertionError("the last attempt returns or raises")


def _explained(error: duckdb.Error, file: Path) -> Exception:
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        holder = _HOLDER.search(text)
        who = f" by process {holder[1]}" if holder else ""
        return WarehouseError(f"{file} is in use{who}", "Wait until it is done, or stop it, and try again")
    if any(sign in text.lower() for sign in _FULL):
        return WarehouseError(f"the disk of {file} is full", "Make room and run again; what stood there is unharmed")
    if "not a valid DuckDB database" in text or "Corrupt" in text:
        return WarehouseError(f"{file} is no readable warehouse", "Restore it from a backup, or delete it and run again")
    return error
