"""The Dagster instance of a home: its configuration, and clearing what a killed process left behind.

Belongs here: where run history lives and how many things may run at once. Does not belong here: what runs.
"""

import os
import re
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import yaml
from dagster import DagsterRunStatus, RunsFilter

from revenue_integrity import process
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.files import write_whole
from revenue_integrity.settings import Settings

POOL = "duckdb"
"""Pool of every step that opens the warehouse: a DuckDB writer excludes every other process."""

PROCESS_TAG = "revenue_integrity/process"
"""Tag of runs that a command started in its own process: host and process id, to tell when it is gone."""

_CONFIGURATION = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "concurrency": {
        "runs": {"max_concurrent_runs": 1},
        "pools": {"default_limit": 1, "granularity": "op"},
    },
    "event_log_storage": {
        "module": "revenue_integrity.orchestration.event_storage",
        "class": "KeptEngineEventLogStorage",
    },
    "run_monitoring": {"enabled": True, "free_slots_after_run_end_seconds": 60},
    # Runs that somebody starts in the UI have no configuration of their own: each event would be printed on the terminal of the
    # daemon, and be kept once more as what the run printed. The record of events has all of them all the same.
    "python_logs": {"python_log_level": "INFO"},
}

_WITHOUT_LOGS = {name: block for name, block in _CONFIGURATION.items() if name != "python_logs"}
"""What the release before wrote: a file of just this is nobody's own."""


_GONE = re.compile(
    r"^(?:run_storage|compute_logs):[ \t]*\n(?=(?:[ \t].*\n)*?[ \t]+module: revenue_integrity\.)(?:[ \t].*(?:\n|\Z))+",
    re.MULTILINE,
)
"""Blocks of an earlier release that name parts of it which are no more; Dagster's own find what these kept where it stands."""


def configure(settings: Settings) -> Path:
    """Write the instance's configuration into the home, if it is not there, and return the instance's directory.

    An existing file is the operator's: it may name PostgreSQL as storage, and is left alone but for what an earlier release wrote
    into it of its own.
    """
    directory = settings.dagster_path
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "dagster.yaml"
    present = file.read_text(encoding="utf-8") if file.exists() else None
    wanted = _wanted(present)
    if wanted != present:
        write_whole(file, wanted)
    return directory


def _wanted(present: str | None) -> str:
    """Return what a ``dagster.yaml`` should say."""
    carried = None if present is None else carried_over(present)
    if carried is None or carried == yaml.safe_dump(_WITHOUT_LOGS, sort_keys=False):
        return yaml.safe_dump(_CONFIGURATION, sort_keys=False)
    return carried


def carried_over(text: str) -> str:
    """Return the text of a ``dagster.yaml`` without what only an earlier release understood; everything else as it stands."""
    return _GONE.sub("", text)


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the home's instance, clear what a killed process left behind, and close it in the end.

    Raises:
        RevenueIntegrityError: its configuration is wrong, its database cannot be reached, or the home cannot be written.
    """
    refuse_read_only(settings)
    with _opened(configure(settings)) as instance:
        clear_abandoned(instance)
        yield instance


@contextmanager
def open_to_read(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the home's instance as ``open_instance`` does; that of a home which cannot be written as a copy of its databases.

    The databases of an instance are written by whoever opens them.
    """
    if is_writable(settings.dagster_path if settings.dagster_path.exists() else settings.home):
        with open_instance(settings) as instance:
            yield instance
        return
    with tempfile.TemporaryDirectory(prefix="revenue-integrity-") as folder:
        copy = Path(folder, "dagster")
        copy.mkdir()
        if settings.dagster_path.is_dir():
            shutil.copytree(
                settings.dagster_path, copy, dirs_exist_ok=True, ignore=_not_of_the_record, copy_function=shutil.copyfile
            )
            for each in [copy, *copy.rglob("*")]:
                each.chmod(0o700)
        file = copy / "dagster.yaml"
        present = file.read_text(encoding="utf-8") if file.exists() else None
        file.write_text(_wanted(present), encoding="utf-8")
        with _opened(copy) as instance:
            yield instance


_NO_ROOM = 1 << 20
"""Free bytes below which a disk counts as full: less than what databases need to open their logs."""

_LARGE = frozenset({"storage", "logs"})
"""Parts of an instance in which no result stands."""


def _not_of_the_record(folder: str, names: list[str]) -> set[str]:
    """Return what need not be copied to read results: output of runs, and the events of each run, which the index has too."""
    here = Path(folder)
    of_runs = here.name == "runs" and here.parent.name == "history"
    return {each for each in names if each in _LARGE or (of_runs and not each.startswith("index.db"))}


def is_writable(place: Path) -> bool:
    """Return whether this process may make files in a folder, or could where it is not there yet."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK | os.X_OK)


def refuse_read_only(settings: Settings) -> None:
    """Refuse to begin what must write in a home that cannot be written.

    Raises:
        RevenueIntegrityError: the home cannot be written, or is no directory.
    """
    if settings.home.exists() and not settings.home.is_dir():
        raise RevenueIntegrityError(f"the home {settings.home} is no directory", "Set REVENUE_INTEGRITY_HOME to one")
    for place in (settings.home, settings.dagster_path):
        if not is_writable(place):
            raise RevenueIntegrityError(
                f"the home cannot be written: {place}",
                "Run this as its owner, or where it is not mounted read-only; status, recon, export and verify only read",
            )


@contextmanager
def _opened(directory: Path) -> Iterator[dg.DagsterInstance]:
    os.environ["DAGSTER_HOME"] = str(directory)
    try:
        opened = dg.DagsterInstance.from_config(str(directory))
    except Exception as error:
        # Dagster and the database behind it raise of every kind; a wrong configuration or a server that is down is no crash.
        words = " ".join(str(error).split())[:300]
        step = "Correct its dagster.yaml, and see whether the database that it names is up"
        # A database that finds no room for its log says that it cannot be read, or not be opened.
        if "disk is full" in words or "No space left" in words or shutil.disk_usage(directory).free < _NO_ROOM:
            step = "Make room on the disk, and try again"
        raise RevenueIntegrityError(
            f"the Dagster instance in {directory} cannot be opened: {type(error).__name__}: {words}", step
        ) from error
    try:
        with opened as instance:
            yield instance
    finally:
        share_databases(directory)


def share_databases(directory: Path) -> None:
    """Let the group write the instance's databases where this process lets it write what it makes.

    SQLite makes its files with a mode of its own, whatever the umask leaves open.
    """
    if not process.group_may_write():
        return
    for file in directory.rglob("*.db*"):
        # What another process takes away meanwhile, or what is a colleague's, is none of ours to open.
        with suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(file.lstat().st_mode)
            if not mode & stat.S_IWGRP:
                file.chmod(mode | stat.S_IWGRP)


def process_tag() -> str:
    """Return the tag value that names this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    # A process id alone is reused; with its start time it is unique on this machine.
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def _is_gone(tag: str) -> bool:
    host, pid, started = tag.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return bool(started) and _started(int(pid)) != started


def clear_abandoned(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose command was killed, free their slots, and return their ids.

    Runs that the daemon started are watched by Dagster's own run monitoring.
    """
    unfinished = instance.get_runs(
        filters=RunsFilter(statuses=[DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.NOT_STARTED])
    )
    cleared = []
    for run in unfinished:
        tag = run.tags.get(PROCESS_TAG)
        if tag and _is_gone(tag):
            instance.report_run_failed(run, "The process that ran it was killed.")
            if instance.event_log_storage.supports_global_concurrency_limits:
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            cleared.append(run.run_id)
    return cleared
