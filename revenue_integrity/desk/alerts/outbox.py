"""The durable outbox: every event ever raised, one JSON file each, with what became of it on each channel.

Belongs here: raising, resolving, keeping, listing. Does not belong here: talking to a channel (``delivery``), deciding what is
an event (``events``).
A file is written beside its place, synced and renamed, so that a process killed at any point leaves the old or the new state,
never half of one. Events are kept for ever, because the same event is sent once for ever. Channels stand in the files by a
digest, never by their URL, which is a secret.
"""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from revenue_integrity import clock, confidential, locks, months
from revenue_integrity.desk.alerts import channels
from revenue_integrity.desk.alerts.events import Event, Kind, Severity
from revenue_integrity.errors import UsageError
from revenue_integrity.files import sync, write_whole
from revenue_integrity.settings import Settings

COLUMNS = ("raised_at", "severity", "kind", "book", "month", "title", "status", "attempts", "next_try_at")

STATE_KINDS = (
    Kind.BREACH_OVER_MATERIALITY,
    Kind.CHECK_FAILED,
    Kind.MONTH_REOPENED,
    Kind.CLOSE_LATE,
    Kind.BATCH_BACKDATED,
)
"""Kinds that tell of a month's present state: they are over when the state no longer calls for them."""


@dataclass
class Dispatch:
    """What became of an event on one channel.

    Attributes:
        purpose: what is told: the event, that nobody resolved it, that it is over, that it holds again.
        channel: digest of the channel (``channels.Channel.key``).
        status: pending until the channel took it.
        attempts: tries so far.
        next_try_at: when it is due; ``None`` once sent.
        sent_at: when the channel took it.
        digest: what is told at the same time about the same month is one message; empty for one of its own.
    """

    purpose: Literal["first", "escalation", "resolved", "again"]
    channel: str
    status: Literal["pending", "sent"] = "pending"
    attempts: int = 0
    next_try_at: datetime | None = None
    sent_at: datetime | None = None
    digest: str = ""


@dataclass
class Record:
    """An event in the outbox. ``open_since`` restarts when a resolved event comes back; ``dispatches`` never restart."""

    event: Event
    raised_at: datetime
    open_since: datetime
    resolved_at: datetime | None = None
    dispatches: list[Dispatch] = field(default_factory=list)

    @property
    def pending(self) -> list[Dispatch]:
        """What no channel took yet."""
        return [each for each in self.dispatches if each.status == "pending"]

    @property
    def status(self) -> str:
        """``pending`` or ``sent``; ``logged`` if no channel is set for it; with ``, resolved`` if the condition is over."""
        told = "pending" if self.pending else "sent" if self.dispatches else "logged"
        return f"{told}, resolved" if self.resolved_at else told


def raise_alert(settings: Settings, event: Event, digest: str = "") -> bool:
    """Put an event into the outbox and the log file, and return whether it is new.

    It talks to no channel. An event that was resolved and holds again is open again; who was told that it is over is told so.
    ``digest`` names the message that it belongs to with others.

    Raises:
        OSError: the home cannot be written.
    """
    now = clock.now()
    event = replace(event, title=confidential.struck(event.title, settings), body=confidential.struck(event.body, settings))
    with _locked(settings, "state"):
        known = _read(settings, _file(settings, event))
        if known is None:
            # The log comes first: killed in between, the caller raises it again, and a line twice is better than none.
            log(settings, now, event.severity, event, f"{event.title} | {event.body}")
            reached = channels.of_severity(settings, event.severity)
            wanted = [Dispatch("first", each.key, next_try_at=now, digest=digest) for each in reached]
            _write(settings, Record(event, raised_at=now, open_since=now, dispatches=wanted))
        elif known.resolved_at:
            log(settings, now, event.severity, event, f"holds again: {event.title}")
            known.open_since, known.resolved_at = now, None
            ended = [each for each in known.dispatches if each.purpose == "resolved"]
            known.dispatches = [each for each in known.dispatches if each.purpose not in ("resolved", "again")]
            known.dispatches += [
                Dispatch("again", each.channel, next_try_at=now, digest=digest) for each in ended if each.status == "sent"
            ]
            _write(settings, known)
    return known is None


def resolve(settings: Settings, kind: Kind, month: date | None, *, except_for: Collection[Event] = (), book: str = "") -> int:
    """Mark the open events of a kind, book and month as over, but for those that still hold; return how many.

    What is still pending is told nevertheless: somebody will ask what happened in between. Who was told is told that it is over.
    """
    return _resolve(settings, (kind,), book, month, except_for)


def _resolve(
    settings: Settings,
    kinds: Collection[Kind],
    book: str,
    month: date | None,
    except_for: Collection[Event],
    digest: str = "",
) -> int:
    now = clock.now()
    kept = {event.identity for event in except_for}
    # What goes on with other figures is not over.
    going_on = {event.subject for event in except_for}
    count = 0
    with _locked(settings, "state"):
        for record in _read_all(settings, _folder(month)):
            event = record.event
            # What was told before there were books is told again by each of them, as far as it still holds.
            if event.kind in kinds and event.book in ("", book) and not record.resolved_at and event.identity not in kept:
                log(settings, now, event.severity, event, f"resolved: {event.title}")
                record.resolved_at = now
                if event.subject not in going_on:
                    told = dict.fromkeys(each.channel for each in record.dispatches if each.status == "sent")
                    record.dispatches += [Dispatch("resolved", each, next_try_at=now, digest=digest) for each in told]
                _write(settings, record)
                count += 1
    return count


def raise_state(settings: Settings, book: str, month: date, events: Sequence[Event], over: Collection[Kind] = STATE_KINDS) -> int:
    """Raise all events of the present state of a month of a book and resolve those of earlier states; return how many are new.

    All of it is told in one message. ``over`` are the kinds of which what no longer holds is known to be over.
    """
    digest = f"{book}|{months.label(month)}|{_instant(clock.now())}"
    new = sum(raise_alert(settings, event, digest) for event in events)
    _resolve(settings, over, book, month, events, digest)
    return new


def told_causes(settings: Settings, book: str, month: date) -> tuple[frozenset[str], datetime | None]:
    """Return the causes that digests of a month of a book have told, and when the last of them was raised."""
    digests = [
        each for each in _read_all(settings, _folder(month)) if (each.event.kind, each.event.book) == (Kind.CAUSES_FOUND, book)
    ]
    told = frozenset(key for each in digests for key in each.event.content.split("|"))
    return told, max((each.raised_at for each in digests), default=None)


def records(settings: Settings) -> list[Record]:
    """Return all records, oldest first. A file that holds no record (only a hand can do that) is logged and put aside."""
    return _read_all(settings, "*")


def update(settings: Settings, record: Record, dispatches: Sequence[Dispatch]) -> Record:
    """Replace a record's dispatches, keeping what other processes changed on it meanwhile; return what stands now."""
    with _locked(settings, "state"):
        present = _read(settings, _file(settings, record.event)) or record
        present.dispatches = list(dispatches)
        _write(settings, present)
    return present


@contextlib.contextmanager
def sole_delivery(settings: Settings) -> Iterator[bool]:
    """Hold the right to send inside the block; yield ``False`` if another process has it. It ends with the process."""
    with _locked(settings, "delivery", wait=False) as held:
        yield held


def frame(settings: Settings) -> pd.DataFrame:
    """Return a row per event, latest first, in the columns ``COLUMNS``; attempts are summed over its channels."""
    rows = [
        {
            "raised_at": record.raised_at,
            "severity": record.event.severity.value,
            "kind": record.event.kind.value,
            "book": record.event.book or None,
            "month": record.event.month and months.label(record.event.month),
            "title": record.event.title,
            "status": record.status,
            "attempts": sum(each.attempts for each in record.dispatches),
            "next_try_at": min((each.next_try_at for each in record.pending if each.next_try_at), default=None),
        }
        for record in reversed(records(settings))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def log(settings: Settings, now: datetime, severity: Severity, event: Event | None, message: str) -> None:
    """Append one line to the log file, synced: instant, severity, kind, month, message."""
    settings.logs_path.mkdir(parents=True, exist_ok=True)
    kind, month = (event.kind.value, event.month) if event else ("delivery", None)
    # Text of a batch may hold line ends; one event is one line.
    words = (_instant(now), severity.value.upper(), kind, months.label(month) if month else "-", " ".join(message.split()))
    handle = os.open(settings.logs_path / "alerts.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o660)
    try:
        os.write(handle, (" ".join(words) + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _events_path(settings: Settings) -> Path:
    return settings.alerts_path / "events"


def _folder(month: date | None) -> str:
    return months.label(month) if month else "deployment"


def _file(settings: Settings, event: Event) -> Path:
    return _events_path(settings) / _folder(event.month) / f"{event.identity}.json"


@contextlib.contextmanager
def _locked(settings: Settings, name: str, *, wait: bool = True) -> Iterator[bool]:
    settings.alerts_path.mkdir(parents=True, exist_ok=True)
    with locks.held(settings.alerts_path / f"{name}.lock", wait_seconds=locks.FOREVER if wait else 0) as held:
        yield held


def _instant(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return months.label(value)
    raise TypeError(f"{type(value)} does not belong into an alert")


def _write(settings: Settings, record: Record) -> None:
    """Write a record's file, synced; the state lock must be held."""
    file = _file(settings, record.event)
    text = json.dumps(asdict(record), default=_plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if not file.parent.exists():
        file.parent.mkdir(parents=True)
        sync(file.parent.parent)
        sync(settings.alerts_path)
    write_whole(file, text)


def _read_all(settings: Settings, folder: str) -> list[Record]:
    found = [_read(settings, file) for file in sorted(_events_path(settings).glob(f"{folder}/*.json"))]
    return sorted((each for each in found if each), key=lambda each: (each.raised_at, each.event.identity))


def _read(settings: Settings, file: Path) -> Record | None:
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        return _record(plain)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, UsageError) as error:
        aside = file.replace(file.with_suffix(".damaged"))
        log(settings, clock.now(), Severity.CRITICAL, None, f"{aside.name} holds no alert ({type(error).__name__}), put aside")
        return None


def _record(plain: dict[str, Any]) -> Record:
    event = plain["event"]
    month = months.parse(event["month"]) if event["month"] else None
    return Record(
        event=Event(
            Kind(event["kind"]),
            month,
            Severity(event["severity"]),
            event["title"],
            event["body"],
            event["content"],
            event.get("book", ""),
        ),
        raised_at=datetime.fromisoformat(plain["raised_at"]),
        open_since=datetime.fromisoformat(plain["open_since"]),
        resolved_at=_optional(plain["resolved_at"]),
        dispatches=[
            Dispatch(**{**each, "next_try_at": _optional(each["next_try_at"]), "sent_at": _optional(each["sent_at"])})
            for each in plain["dispatches"]
        ],
    )


def _optional(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
