"""Structured logs: one JSON object per line in ``logs/revenue-integrity.jsonl`` of the home.

Belongs here: how an event is written, rotated and kept free of secrets. Does not belong here: what is worth an event (whoever
does it), and the log of alerts (``alerts.outbox``).

A line has ``time`` (UTC), ``level``, ``event``, ``command``, ``run_id``, ``month``, ``pid``, then what the event adds, and
``exception`` if there was one. A log that cannot be written (disk full, read-only) never fails what it tells of. A home that
does not exist, or is empty, is not begun by a log: its lines wait until somebody else puts something there.
"""

import contextlib
import json
import logging
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import date
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from revenue_integrity import clock, confidential, locks, months
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.settings import Settings

FILE = "revenue-integrity.jsonl"
"""The file that is written; ``.1`` behind its name is the one before it."""

_EVENTS = logging.getLogger("revenue_integrity.events")

_MOST_WAITING = 1_000
"""Lines that wait for a home to begin; a command that writes more without a home has none."""


def event(
    name: str,
    *,
    level: int = logging.INFO,
    month: date | str | None = None,
    run_id: str | None = None,
    error: BaseException | None = None,
    **figures: Any,
) -> None:
    """Write an event.

    Args:
        name: what happened, in snake case; an interface for whoever searches logs.
        level: of ``logging``.
        month: the month that it is about; by default the one that the command names.
        run_id: the Dagster run.
        error: what was raised: one that a user can cause as its message, any other with its trace.
        figures: anything else, as JSON.
    """
    label = months.label(month) if isinstance(month, date) else month
    added = {"event": name, "month": label, "run_id": run_id, "error": error, "figures": figures}
    _EVENTS.log(level, "%s", name, extra={"revenue_integrity": added})


@contextlib.contextmanager
def writing(settings: Settings, command: str, *, month: str | None = None, secrets: tuple[str, ...] = ()) -> Iterator[None]:
    """Send what is logged inside the block to the log of a home, as told by ``command``.

    Inside a block that writes to the log of the same home already, the outer command stays the one that tells.
    ``secrets`` are texts that no line may hold, beside those that settings and environment are known to hold.
    """
    outer = _current.get()
    if outer is not None and outer.home == settings.home:
        yield
        return
    sink = _File(settings, command, month, frozenset(secrets) | confidential.known(settings))
    token = _current.set(sink)
    try:
        yield
    finally:
        _current.reset(token)
        sink.close()


@contextlib.contextmanager
def told(name: str, **figures: Any) -> Iterator[None]:
    """Tell beginning and end of a block: ``NAME_started``, then ``NAME_ended`` with seconds, exit code and what was raised."""
    event(f"{name}_started", **figures)
    # A duration is no instant: it must not jump when the clock is set or held.
    began = time.monotonic()

    def end(code: int, level: int, error: BaseException | None) -> None:
        event(f"{name}_ended", level=level, error=error, seconds=round(time.monotonic() - began, 3), exit_code=code, **figures)

    try:
        yield
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        end(code, logging.WARNING if code else logging.INFO, ended.__context__ if code else None)
        raise
    except BaseException as error:
        code = 2 if isinstance(error, UsageError) else 1
        end(code, logging.WARNING if isinstance(error, RevenueIntegrityError) else logging.ERROR, error)
        raise
    end(0, logging.INFO, None)


def _exception_text(error: BaseException) -> str:
    if isinstance(error, RevenueIntegrityError):
        return f"{type(error).__name__}: {error}"
    return "".join(traceback.format_exception(error)).strip()


class _File(RotatingFileHandler):
    """The log file of a home. Several processes write to it: each line is one append, and one process rotates."""

    def __init__(self, settings: Settings, command: str, month: str | None, secrets: frozenset[str]) -> None:
        super().__init__(
            settings.logs_path / FILE,
            maxBytes=settings.log_file_mib * 1024**2,
            backupCount=settings.log_files - 1,
            encoding="utf-8",
            delay=True,
        )
        self.home = settings.home
        self._command = command
        self._month = month
        self._secrets = secrets
        self._waiting: list[str] = []

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of JSON without secrets."""
        told: Mapping[str, Any] = getattr(record, "revenue_integrity", {})
        line: dict[str, Any] = {
            "time": clock.now().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": told.get("event", "message"),
            "command": self._command,
            "run_id": told.get("run_id"),
            "month": told.get("month") or self._month,
            "pid": os.getpid(),
            **told.get("figures", {}),
        }
        if not told:
            line |= {"logger": record.name, "message": record.getMessage()}
        error = told.get("error") or (record.exc_info[1] if record.exc_info else None)
        if error is not None:
            line["exception"] = _exception_text(error)
        clean = {
            name: confidential.struck(value if isinstance(value, str) else str(value), more=self._secrets)
            if not isinstance(value, int | float | None)
            else value
            for name, value in line.items()
        }
        return json.dumps(clean, ensure_ascii=False)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; whatever goes wrong stays here."""
        try:
            self._waiting = [*self._waiting[-_MOST_WAITING:], self.format(record)]
            if self.home.is_dir() and any(self.home.iterdir()):
                self._write()
        except Exception:  # a log must never fail what it tells of
            self._waiting.clear()

    def _write(self) -> None:
        path = Path(self.baseFilename)
        path.parent.mkdir(exist_ok=True)
        self._rotate_if_full(path)
        data = "".join(f"{line}\n" for line in self._waiting).encode("utf-8", errors="backslashreplace")
        self._waiting.clear()
        # Opened each time: another process may have renamed it. One append keeps the lines of processes apart.
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)

    def _rotate_if_full(self, path: Path) -> None:
        if not self._is_full(path):
            return
        # Who does not get the lock writes on: the file is as long as it is, and the other one rotates.
        with contextlib.suppress(OSError), locks.held(path.parent, wait_seconds=0) as alone:
            if alone and self._is_full(path):
                self.doRollover()

    def _is_full(self, path: Path) -> bool:
        try:
            return path.stat().st_size >= self.maxBytes
        except FileNotFoundError:
            # Not begun, or another process has just renamed it: asking first whether it exists would lose a line between.
            return False


_current: ContextVar[_File | None] = ContextVar("log_file", default=None)


class _Router(logging.Handler):
    """Sends records to the log of the home that this context writes to, if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        sink = _current.get()
        if sink is not None:
            sink.handle(record)
        is_event = hasattr(record, "revenue_integrity")
        if not is_event and record.levelno >= logging.WARNING and not logging.getLogger().handlers and logging.lastResort:
            # As without this handler: a warning that nobody else takes goes to the terminal.
            logging.lastResort.handle(record)


logging.getLogger("revenue_integrity").addHandler(_Router())
# Events are for the file alone: whatever a library puts on the root logger would show them on the terminal.
_EVENTS.addHandler(_Router())
_EVENTS.setLevel(logging.INFO)
_EVENTS.propagate = False
