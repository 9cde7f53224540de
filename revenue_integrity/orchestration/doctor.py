"""Examines a deployment and says what to do about what it finds.

Belongs here: environment, settings, disk, permissions, ports, leftovers. Does not belong here: judging data (checks do).
"""

import importlib.metadata
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import pandas as pd

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.orchestration.ui import ADDRESS
from revenue_integrity.settings import PREFIX, Settings, load_settings

_PINNED = {"dagster": "1.13.27", "duckdb": "2.0.0", "pandas": "2.3.3"}
"""Versions that behaviour rests on: checks per partition, how values are printed, frame dtypes (see pyproject.toml)."""

_LOW_DISK_BYTES = 2 * 1024**3
"""Below this a month of a middle-sized deployment may not fit beside the copy that a write makes."""


@dataclass(frozen=True)
class Finding:
    """What one examination found: a sentence, and what to do if it is not well."""

    what: str
    ok: bool
    found: str
    next_step: str = ""


def examine() -> pd.DataFrame:
    """Return one row per examination: ``what, ok, found, next_step``. Never raises for what it is there to find."""
    findings = [_python(), *_packages()]
    try:
        settings = load_settings()
    except RevenueIntegrityError as error:
        findings.append(Finding("settings", False, error.reason, error.next_step))
    else:
        findings.append(Finding("settings", True, f"home {settings.home}, months from {settings.first_month:%Y-%m}"))
        findings += _examine_home(settings)
    return pd.DataFrame([astuple(finding) for finding in findings], columns=["what", "ok", "found", "next_step"])


def _examine_home(settings: Settings) -> Iterator[Finding]:
    examinations: list[Callable[[Settings], Finding]] = [_home, _disk, _landing, _warehouse, _instance, _port]
    for examination in examinations:
        yield examination(settings)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        "python", sys.version_info >= (3, 11), found, "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer"
    )


def _packages() -> Iterator[Finding]:
    for name, wanted in _PINNED.items():
        found = importlib.metadata.version(name)
        yield Finding(
            f"package {name}",
            found == wanted,
            found,
            "" if found == wanted else f"Make the environment again (make clean, then make run): {wanted} is needed",
        )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _home(settings: Settings) -> Finding:
    place = _existing(settings.home)
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    state = "exists" if settings.home.exists() else f"will be made below {place}"
    step = "" if writable else f"Give this user the right to write to {place}, or set {PREFIX}HOME"
    return Finding("home", writable, f"{settings.home} {state}", step)


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.home)).free
    ok = free >= _LOW_DISK_BYTES
    return Finding(
        "disk",
        ok,
        f"{free / 1024**3:.1f} GiB free",
        "" if ok else "Make room: a failed write loses nothing, but no month can be computed",
    )


def _landing(settings: Settings) -> Finding:
    from revenue_integrity.landing import zone

    if not settings.landing_path.exists():
        return Finding("landing zone", True, f"{settings.landing_path} is empty", "Land a batch, or simulate source systems")
    try:
        batches = zone.scan(settings.landing_path)
    except RevenueIntegrityError as error:
        return Finding("landing zone", False, error.reason, error.next_step)
    return Finding("landing zone", True, f"{len(batches)} batches in {settings.landing_path}")


def _warehouse(settings: Settings) -> Finding:
    from revenue_integrity.warehouse.database import connect

    if not settings.warehouse_path.exists():
        return Finding("warehouse", True, "not there yet", "It is made by the first run")
    try:
        with connect(settings.model_copy(update={"lock_timeout_seconds": 1}), read_only=True) as connection:
            tables = connection.sql("select count(*) from duckdb_tables() where schema_name not in ('main', 'meta')").fetchall()
    except RevenueIntegrityError as error:
        return Finding("warehouse", False, error.reason, error.next_step)
    return Finding("warehouse", True, f"{tables[0][0]} tables, {settings.warehouse_path.stat().st_size / 1024**2:.0f} MiB")


def _instance(settings: Settings) -> Finding:
    file = settings.dagster_path / "dagster.yaml"
    if not file.exists():
        return Finding("Dagster instance", True, "not there yet", "It is made by the first run")
    text = file.read_text(encoding="utf-8")
    missing = [word for word in ("default_limit", "max_concurrent_runs") if word not in text]
    step = f"Add the concurrency settings to {file} (delete the file to get the default)" if missing else ""
    return Finding("Dagster instance", not missing, str(file) if not missing else f"{file} lacks {', '.join(missing)}", step)


def _port(settings: Settings) -> Finding:
    with socket.socket() as probe:
        taken = probe.connect_ex((ADDRESS, settings.ui_port)) == 0
    found = "in use: the UI is running, or another program has it" if taken else "free"
    return Finding(f"port {settings.ui_port}", True, found, f"Set {PREFIX}UI_PORT if it is another program" if taken else "")
