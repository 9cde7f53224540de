"""The sign-off ledger: who did what to a month, when, on which content; append-only, each entry chained to the one before.

Belongs here: entries, their file, the chain and the proof that it holds, the lock under which a decision and its entry are
one step. Does not belong here: who may do what (``close.sign_off``), copies of what was signed (``close.freeze``).

``<home>/ledger/ledger.jsonl`` holds one entry a line, as canonical JSON. An entry is hashed with the fields that it has, and its
format says which those are: entries of every format stand in one chain and verify as they were written.
``<published>/_signed/head.json`` holds the number and hash of the last one, so that a ledger cut short does not look whole. A
process that dies while it appends leaves an unfinished last line, or a head that is one entry behind; whoever takes the lock next
mends both. All else is a violation.
"""

import getpass
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity import clock, locks, months, output
from revenue_integrity.canonical import canonical_json, sha256_of
from revenue_integrity.errors import IntegrityError, LedgerError, Refusal, UsageError
from revenue_integrity.files import sync, write_if_changed
from revenue_integrity.settings import Settings

GENESIS = "0" * 64
"""What the first entry names as the hash before it."""

_RESTORE = "Restore the ledger from a backup, and find out who changed it"

_log = logging.getLogger(__name__)


class Action(StrEnum):
    """What an entry records."""

    PREPARE = "prepare"
    APPROVE = "approve"
    WAIVE = "waive"
    REOPEN = "reopen"


@dataclass(frozen=True)
class Entry:
    """One entry of the ledger.

    Attributes:
        seq: its number, from 1 without gaps.
        month: the service month, ``YYYY-MM``.
        version: the version of the month that it is about, from 1.
        action: what was done (``Action``).
        actor: who did it, as named to the product.
        os_user: the account under which the process ran.
        host: the machine on which it ran.
        at: when (ISO 8601, microseconds, UTC).
        content_hash: of the month's signed content at that moment.
        as_of: arrival of the latest batch that the content can know.
        batches: the batches behind the content, each ``{id, digest}``.
        settings_hash: of the settings that the content rests on.
        code_version: of the rules that made the content.
        checks: what the checks said, each ``{stream, table, name, gate, passed, figures}`` (format 1: without the stream); of a
            waiver: the one check that it lets through.
        comment: the words of the actor.
        prev_hash: hash of the entry before, ``GENESIS`` for the first.
        hash: SHA-256 of the canonical JSON of the other fields of its format.
        format: which fields it has (``FORMATS``); an entry without this field is of format 1.
        book: the book that it is about; empty in format 1, whose entries are about a month of all streams.
        subject: what the act is about, beside book and month: of a waiver the check, ``{stream, table, name}``.
        reaches: hashes of what is frozen, each ``{path, sha256}``: of an approval the version that it makes, and of what was
            frozen since the entry before, packs among it (since format 3).
    """

    seq: int
    month: str
    version: int
    action: str
    actor: str
    os_user: str
    host: str
    at: str
    content_hash: str
    as_of: str
    batches: list[dict[str, Any]]
    settings_hash: str
    code_version: str
    checks: list[dict[str, Any]]
    comment: str
    prev_hash: str
    hash: str
    format: int = 1
    book: str = ""
    subject: Mapping[str, Any] = field(default_factory=dict)
    reaches: list[dict[str, str]] = field(default_factory=list)

    @property
    def named(self) -> str:
        """The version that it is about, as people write it."""
        return f"{self.book} {self.month} v{self.version}".strip()

    @property
    def waived(self) -> Mapping[str, Any]:
        """The check that a waiver lets through (format 1 does not name its stream); empty for every other action."""
        return self.checks[0] if self.action == Action.WAIVE else {}


_ALL_FIELDS = tuple(each.name for each in fields(Entry))
_SINCE_2 = ("format", "book", "subject")
_SINCE_3 = ("reaches",)

FORMATS: Mapping[int, tuple[str, ...]] = {
    1: tuple(name for name in _ALL_FIELDS if name not in (*_SINCE_2, *_SINCE_3)),
    2: tuple(name for name in _ALL_FIELDS if name not in _SINCE_3),
    3: _ALL_FIELDS,
}
"""The fields of an entry by its format. A release adds a format with its fields and keeps those before for ever."""

FORMAT = max(FORMATS)
"""The format of what is appended."""


@dataclass(frozen=True)
class Finding:
    """Something signed that does not hold.

    Attributes:
        subject: the ledger entry, the head or the file that it is about.
        problem: what is wrong with it.
        next_step: what to do about it.
    """

    subject: str
    problem: str
    next_step: str


@contextmanager
def exclusive(file: Path, settings: Settings, purpose: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file, alone (or, ``shared``, beside other readers), waiting at most ``lock_timeout_seconds``.

    Raises:
        Refusal: others held it all that time.
        LedgerError: the lock file cannot be made.
    """
    with ExitStack() as lock:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            taken = lock.enter_context(locks.held(file, shared=shared, wait_seconds=settings.lock_timeout_seconds))
        except OSError as error:
            raise _unusable(file, error) from error
        if not taken:
            raise Refusal(
                f"another {purpose} has been under way for {settings.lock_timeout_seconds} seconds",
                "Wait until it is done, see what it recorded with 'status', and try again",
            )
        yield


class Ledger:
    """The ledger of one home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._holder: int | None = None
        self._sound: tuple[bytes, tuple[str, ...], int] = (b"", (GENESIS,), min(FORMATS))

    @property
    def file(self) -> Path:
        """The file of the entries."""
        return self._settings.ledger_path / "ledger.jsonl"

    @property
    def head_file(self) -> Path:
        """The file that says, apart from the ledger, which entry is the last."""
        return signed_path(self._settings) / "head.json"

    def entries(self) -> list[Entry]:
        """Return all entries in order, whether or not the chain holds (``verify`` says that).

        Raises:
            IntegrityError: a line is no entry at all; the message names it.
            LedgerError: the file cannot be read.
        """
        parsed = []
        for seq, line in enumerate(_lines(self._content()), start=1):
            entry = _parse(line)
            if entry is None:
                raise IntegrityError(f"ledger entry {seq} is no entry of a known format", _unreadable(line))
            parsed.append(entry)
        return parsed

    def recorded(self, month: date) -> list[Entry]:
        """Return the entries of a month in order; raises as ``entries`` does."""
        return [entry for entry in self.entries() if entry.month == months.label(month)]

    def head(self) -> tuple[int, str]:
        """Return number and hash of the last entry, ``(0, GENESIS)`` if there is none; raises as ``entries`` does."""
        entries = self.entries()
        return (entries[-1].seq, entries[-1].hash) if entries else (0, GENESIS)

    def verify(self) -> list[Finding]:
        """Recompute the chain and compare its end with the head kept apart; an empty list says that all holds.

        Names the first entry that does not hold; what follows it rests on it and is not judged. An unfinished last line and a
        head that is one entry behind are traces of a crash, not of a change, and no finding.

        Raises:
            LedgerError: the files cannot be read.
            Refusal: an append took longer than ``lock_timeout_seconds``.
        """
        if self._is_mine or not self._settings.ledger_path.is_dir() or not os.access(self._settings.ledger_path, os.W_OK):
            # Nobody can append to what is not there or not writable, so there is nothing to wait for.
            return self._violations() or self._odd_end()
        with exclusive(self._lock_file, self._settings, "sign-off", shared=True):
            return self._violations() or self._odd_end()

    @contextmanager
    def locked(self) -> Iterator["Ledger"]:
        """Hold the ledger alone, so that what is read, decided and appended inside the block is one step.

        Mends what a crash left: bytes of an unfinished last line are moved to ``ledger.torn-<n>``, and a head that is one
        entry behind is brought up.

        Raises:
            Refusal: somebody else held it for ``lock_timeout_seconds``.
            LedgerError: the ledger cannot be read or written.
        """
        if self._is_mine:
            raise RuntimeError("the ledger is locked by this thread already")
        with exclusive(self._lock_file, self._settings, "sign-off"):
            self._holder = threading.get_ident()
            try:
                self._mend()
                yield self
            finally:
                self._holder = None

    def append(
        self,
        *,
        month: date,
        version: int,
        action: Action,
        actor: str,
        content_hash: str,
        as_of: str,
        batches: Sequence[Mapping[str, Any]],
        settings_hash: str,
        code_version: str,
        checks: Sequence[Mapping[str, Any]],
        comment: str = "",
        book: str = "",
        subject: Mapping[str, Any] | None = None,
        reaches: Sequence[Mapping[str, str]] = (),
    ) -> Entry:
        """Append an entry of the present format, inside ``locked``; once this returns, it is on the disk.

        ``checks`` of a waiver is exactly the check that it lets through. Figures are kept as integers, booleans and text
        (decimals without trailing zeros).

        Raises:
            IntegrityError: the ledger does not hold as it stands; nothing is appended to it.
            LedgerError: the entry cannot be written; the ledger is as before.
            UsageError: actor or comment is no valid text.
        """
        if not self._is_mine:
            raise RuntimeError("an entry can only be appended inside 'locked'")
        if action is Action.WAIVE and len(checks) != 1:
            raise ValueError("a waiver lets exactly one check through")
        self._refuse_broken()
        seq, prev_hash = self._sound_end
        content: dict[str, Any] = {
            "seq": seq + 1,
            "month": months.label(month),
            "version": version,
            "action": Action(action).value,
            "actor": actor,
            "os_user": _os_user(),
            "host": socket.gethostname(),
            "at": f"{clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "content_hash": content_hash,
            "as_of": as_of,
            "batches": _plain(batches),
            "settings_hash": settings_hash,
            "code_version": code_version,
            "checks": _plain(checks),
            "comment": comment,
            "prev_hash": prev_hash,
            "format": FORMAT,
            "book": book,
            "subject": _plain(subject or {}),
            "reaches": _plain(reaches),
        }
        try:
            entry = Entry(**content, hash=sha256_of(content))
        except UnicodeEncodeError as error:
            raise UsageError("actor or comment holds bytes that are no text", "Write it in UTF-8") from error
        self._write(_line(entry))
        try:
            self._write_head(entry.seq, entry.hash)
        except LedgerError as error:
            # The entry is on the disk and counts; whoever takes the lock next brings the head up, or is refused.
            _log.warning("ledger entry %d is recorded, but its head is not yet: %s", entry.seq, error.reason)
        return entry

    @property
    def _lock_file(self) -> Path:
        return self._settings.ledger_path / ".lock"

    @property
    def _is_mine(self) -> bool:
        return self._holder == threading.get_ident()

    def _content(self) -> bytes:
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unusable(self.file, error) from error

    def _kept_head(self) -> tuple[int, str] | None:
        """Return the head kept apart, ``None`` if there is none.

        Raises:
            ValueError: it is no head.
        """
        try:
            text = self.head_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.head_file, error) from error
        kept = json.loads(text)
        seq, last_hash = (kept.get("seq"), kept.get("hash")) if isinstance(kept, dict) else (None, None)
        if type(seq) is not int or seq < 1 or not isinstance(last_hash, str) or text != _head_text(seq, last_hash).encode():
            raise ValueError("other than written")
        return seq, last_hash

    def _violations(self) -> list[Finding]:
        for each in (self._settings.ledger_path, self.file, self.head_file):
            # What stands elsewhere can be changed there, and exchanged at will.
            if each.is_symlink():
                return [Finding(str(each), "it is a link", f"Put the ledger itself in its place. {_RESTORE}")]
        content = self._content()
        # A decision verifies the chain when it takes the lock, before it decides and before it writes: the same bytes hold again.
        unread: tuple[bytes, tuple[str, ...], int] = (b"", (GENESIS,), min(FORMATS))
        sound, known, newest = self._sound if content.startswith(self._sound[0]) else unread
        hashes = list(known)
        for seq, line in enumerate(_lines(content[len(sound) :]), start=len(hashes)):
            entry = _parse(line)
            if entry is None:
                return [Finding(f"ledger entry {seq}", "it is no entry of a known format", _unreadable(line))]
            problem = _problem(entry, line, seq, hashes[-1], newest)
            if problem:
                return [Finding(f"ledger entry {seq}", problem, _RESTORE)]
            hashes.append(entry.hash)
            newest = entry.format
        whole = content.rfind(b"\n") + 1
        self._sound = content[:whole], tuple(hashes), newest
        return self._violations_of_head(hashes)

    def _odd_end(self) -> list[Finding]:
        """Tell bytes behind the last entry that no process of ours was writing; the next entry puts them aside."""
        content = self._content()
        rest = content[content.rfind(b"\n") + 1 :]
        if _may_be_torn(rest):
            return []
        words = f"{len(rest)} bytes follow it that are no part of an entry"
        return [
            Finding(f"ledger entry {self._sound_end[0]}", words, "Find out who wrote them; the next sign-off puts them aside")
        ]

    @property
    def _sound_end(self) -> tuple[int, str]:
        """Number and hash of the last entry of the chain that was just verified."""
        hashes = self._sound[1]
        return len(hashes) - 1, hashes[-1]

    def _violations_of_head(self, hashes: Sequence[str]) -> list[Finding]:
        last = len(hashes) - 1
        restore = "Compare with a head that was printed at an approval, and restore from a backup what does not agree"
        try:
            kept = self._kept_head()
        except ValueError:
            return [Finding("ledger head", f"{self.head_file} is no head of a ledger", restore)]
        seq, kept_hash = kept or (0, GENESIS)
        if seq > last:
            return [Finding(f"ledger entry {last + 1}", f"it is gone: the ledger ends at {last}, its head was at {seq}", restore)]
        if kept_hash != hashes[seq]:
            return [Finding(f"ledger entry {seq}", "it is not the one that the head kept apart names", restore)]
        if seq < last - 1:
            found = "is missing" if kept is None else f"names entry {seq}"
            return [Finding("ledger head", f"it {found}, the ledger ends at {last}", restore)]
        return []

    def _refuse_broken(self) -> None:
        findings = self._violations()
        if findings:
            first = findings[0]
            raise IntegrityError(f"{first.subject} does not hold: {first.problem}", first.next_step)

    def _mend(self) -> None:
        content = self._content()
        whole = content.rfind(b"\n") + 1
        if self._violations():
            # Evidence stays as it is found; reading goes on, and append refuses.
            return
        if whole < len(content):
            self._set_aside(content[whole:], whole)
        seq, last_hash = self._sound_end
        if seq and self._kept_head() != (seq, last_hash):
            self._write_head(seq, last_hash)
            _log.warning("the ledger's head was one behind and now names entry %d", seq)

    def _set_aside(self, torn: bytes, whole: int) -> None:
        try:
            number = 1
            while (aside := self.file.with_name(f"ledger.torn-{number}")).exists() and aside.read_bytes() != torn:
                number += 1
            # Kept before they are cut off: a crash in between leaves them twice, never nowhere.
            _write_through(aside, torn, os.O_TRUNC)
            handle = os.open(self.file, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(handle, whole)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _unusable(self.file, error) from error
        _log.warning("%d bytes of an unfinished ledger entry were moved to %s", len(torn), aside)

    def _write(self, line: bytes) -> None:
        before = len(self._content())
        try:
            _write_through(self.file, line, os.O_APPEND)
        except OSError as error:
            # Take back what part of it was written: an entry that was refused must not be found there later.
            with suppress(OSError):
                os.truncate(self.file, before)
            raise _unusable(self.file, error) from error

    def _write_head(self, seq: int, last_hash: str) -> None:
        try:
            write_if_changed(self.head_file, _head_text(seq, last_hash))
            sync(self.head_file.parent)
        except OSError as error:
            raise _unusable(self.head_file, error) from error


def signed_path(settings: Settings) -> Path:
    """Return where signed versions and the ledger's head stand."""
    return settings.published_path / "_signed"


_NESTED = ("batches", "checks", "subject", "reaches")
"""Fields that hold lists and tables."""


def as_frame(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return entries as the dataset ``sign_off_ledger``: one row per entry, lists and tables as canonical JSON text.

    What an entry's format does not have is null (but for the format itself), so its bytes can be made again from its row.
    """
    rows = []
    for entry in entries:
        row = dict.fromkeys(_ALL_FIELDS) | _values(entry) | {"format": entry.format}
        rows.append(
            row
            | {name: canonical_json(row[name]) for name in ("batches", "checks", "subject", "reaches") if row[name] is not None}
        )
    frame = pd.DataFrame(rows, columns=list(_ALL_FIELDS), dtype=object)
    return frame.astype({"seq": "int64", "version": "int64", "format": "int64"})


def _write_through(file: Path, content: bytes, how: int) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | how, 0o660)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    sync(file.parent)


def _values(entry: Entry) -> dict[str, Any]:
    # Not ``asdict``: its deep copies of thousands of batches would be most of the time of a verification.
    return {name: getattr(entry, name) for name in FORMATS[entry.format]}


def _lines(content: bytes) -> list[bytes]:
    """Split into complete lines; what follows the last newline is no entry yet."""
    return content.split(b"\n")[:-1]


_BEGINNING = b'{"'
"""With what every entry begins."""


def _may_be_torn(rest: bytes) -> bool:
    """Return whether what follows the last entry may be the beginning of one, which a process that died was writing."""
    return rest[: len(_BEGINNING)] == _BEGINNING[: len(rest)] and not any(byte < ord(" ") for byte in rest)


def _line(entry: Entry) -> bytes:
    return canonical_json(_values(entry)).encode() + b"\n"


def _head_text(seq: int, last_hash: str) -> str:
    return canonical_json({"seq": seq, "hash": last_hash}) + "\n"


def _parse(line: bytes) -> Entry | None:
    """Return a line as an entry; ``None`` if it has not exactly the fields of a known format."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = FORMATS.get(_format_of(content))
    return Entry(**content) if known is not None and set(content) == set(known) else None


def _format_of(content: Any) -> int:
    """Return the format that an entry says it has, 0 for what is none."""
    if not isinstance(content, dict):
        return 0
    said = content.get("format", 1)
    # An entry of format 1 does not say it; true is no number.
    return said if type(said) is int and ("format" not in content or said > 1) else 0


def _unreadable(line: bytes) -> str:
    """Return what to do about a line that is no entry: newer releases write formats that this one does not know."""
    try:
        written = _format_of(json.loads(line))
    except (ValueError, RecursionError):
        written = 0
    return f"It is of format {written}: use the release that wrote it, or a later one" if written > FORMAT else _RESTORE


def _problem(entry: Entry, line: bytes, seq: int, prev_hash: str, newest: int) -> str:
    """Return why a line's entry does not belong there, or nothing; ``newest`` is the format of the entry before."""
    # Byte for byte: two texts of the same values must not pass as the same entry.
    if _encoded(entry) != line + b"\n":
        return "it is not written as it was"
    content = _values(entry)
    recorded = content.pop("hash")
    if recorded != sha256_of(content):
        return "its content is not the one that was hashed"
    if entry.prev_hash != prev_hash:
        return "it does not follow the entry before it (an entry was removed, added or moved)"
    if entry.format < newest:
        return f"it is of format {entry.format}, after entries of format {newest}"
    return "" if entry.seq == seq else f"it says that it is entry {entry.seq}"


def _encoded(entry: Entry) -> bytes:
    try:
        return _line(entry)
    except UnicodeEncodeError:
        return b""


def _plain(value: Any) -> Any:
    """Return nested values as JSON can hold them without loss."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    held = output.plain(value)
    return output.decimal_text(held) if isinstance(held, Decimal) else held


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return str(os.getuid())


def _unusable(file: Path, error: OSError) -> LedgerError:
    return LedgerError(f"{file} cannot be used: {error.strerror or error}", "Make room or correct its permissions, and try again")
