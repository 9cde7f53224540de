"""The landing zone: which batches there are, what they weigh, and how a new one is put there.

Belongs here: directories, batch ids, digests, landing. Does not belong here: what is in the files (``reading``).

``<landing>/<stream>/<source>/<arrival>/<file>``. A batch is one directory and never changes once it is visible; a writer
prepares it under a name that begins with ``.`` and renames it. Names that begin with ``.`` or ``_`` are not there.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from revenue_integrity import clock, months
from revenue_integrity.errors import LandingError, UsageError
from revenue_integrity.files import sync, unfinished
from revenue_integrity.landing import doubts
from revenue_integrity.landing.reading.inspection import format_problem, inspect
from revenue_integrity.landing.reading.limits import CONTROL, Limits
from revenue_integrity.landing.reading.staging import Stager
from revenue_integrity.model.source import Source, under
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.database import configuration

ARRIVAL_FORMAT = "%Y%m%dT%H%M%SZ"

_SHOWN = 20
"""Bad rows that landing tells one by one."""

_ARRIVAL = re.compile(r"\d{8}T\d{6}Z")

AHEAD = timedelta(minutes=5)
"""How far after the present an arrival may lie and still count: the clocks of two machines differ."""

NOTE = "_batch.json"
"""What a writer says about a batch, beside its files: no data, but part of what the batch is."""


def parse_arrival(text: str) -> datetime:
    """Return the instant of an arrival such as ``20250407T093000Z``; raise ``UsageError`` for anything else."""
    if _ARRIVAL.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise UsageError(f"'{text}' is not an arrival", "Write it as YYYYMMDDTHHMMSSZ, for example 20250407T093000Z")


def counts_by(as_of: datetime | None = None) -> datetime:
    """Return the latest arrival that counts: that of an as-of, else the present and what clocks may differ by."""
    return clock.now() + AHEAD if as_of is None else as_of


@dataclass(frozen=True)
class FoundFile:
    """A file of a batch as a look at the directory shows it: name, bytes, modification time in nanoseconds."""

    name: str
    size: int
    modified: int


@dataclass(frozen=True)
class FoundBatch:
    """A batch as a look at the landing zone shows it.

    Attributes:
        batch_id: ``<stream>/<source>/<arrival>``.
        arrival: when it became visible.
        path: its directory.
        files: its files, by name.
        note: what its writer says about it (``NOTE``), if anything.
        problem: why it cannot be read whatever its files hold; empty if nothing is wrong with it.
    """

    batch_id: str
    arrival: datetime
    path: Path
    files: tuple[FoundFile, ...]
    note: FoundFile | None = None
    problem: str = ""

    @property
    def all_files(self) -> tuple[FoundFile, ...]:
        """The files of which its digest is made."""
        return (*self.files, self.note) if self.note else self.files

    @property
    def look(self) -> str:
        """What this look shows of it: while it stays the same, nobody reads the batch again."""
        return json.dumps([[file.name, file.size, file.modified] for file in self.all_files])


@dataclass(frozen=True)
class Scan:
    """What a look at the landing zone found.

    Attributes:
        batches: all batches of the sources asked for, in order of their ids.
        ignored: entries that are no batch, each with the reason.
    """

    batches: tuple[FoundBatch, ...]
    ignored: tuple[str, ...]

    @property
    def ahead(self) -> list[str]:
        """The batches whose arrival is yet to come: they count once it has."""
        return [batch.batch_id for batch in self.batches if batch.arrival > counts_by()]


def _visible(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith((".", "_"))), key=lambda entry: entry.name)


def scan(landing: Path, sources: Sequence[Source]) -> Scan:
    """Look for the batches of some sources: names, sizes and times only, no byte of a file is read."""
    found: list[FoundBatch] = []
    ignored: list[str] = []
    for stream in sorted({source.stream for source in sources}):
        names = {source.name for source in sources if source.stream == stream}
        if not (landing / stream).is_dir():
            continue
        for entry in _visible(landing / stream):
            if not entry.is_dir():
                ignored.append(f"{stream}/{entry.name} is not a directory")
            elif entry.name not in names:
                ignored.append(f"{stream}/{entry.name} is no source of this stream")
            else:
                _scan_source(f"{stream}/{entry.name}", Path(entry.path), found, ignored)
    return Scan(tuple(sorted(found, key=lambda batch: batch.batch_id)), tuple(ignored))


def _scan_source(prefix: str, directory: Path, found: list[FoundBatch], ignored: list[str]) -> None:
    for entry in _visible(directory):
        batch_id = f"{prefix}/{entry.name}"
        if not entry.is_dir():
            ignored.append(f"{batch_id} is not a directory")
            continue
        try:
            arrival = parse_arrival(entry.name)
        except UsageError:
            ignored.append(f"{batch_id} is not named after an arrival (YYYYMMDDTHHMMSSZ)")
            continue
        batch = _look(batch_id, arrival, Path(entry.path))
        if batch.files or batch.problem:
            found.append(batch)
        else:
            ignored.append(f"{batch_id} holds no file")


def _look(batch_id: str, arrival: datetime, path: Path) -> FoundBatch:
    files: list[FoundFile] = []
    problem = ""
    for entry in _visible(path):
        if name_problem(entry.name):
            problem = name_problem(entry.name)
        try:
            if entry.is_file():
                files.append(_weighed(Path(entry.path)))
            else:
                problem = f"{entry.name} is not a file"
        except OSError as error:
            # A link that leads to itself, a place that may not be seen: this batch's problem, and no other's.
            problem = f"{entry.name} cannot be looked at ({error.strerror})"
    note = _weighed(path / NOTE) if (path / NOTE).is_file() else None
    return FoundBatch(batch_id, arrival, path, tuple(files), note, problem)


def name_problem(name: str) -> str:
    """Return why a file of this name is not read; empty if it is. Bytes that are no UTF-8 arrive as lone surrogates."""
    found = CONTROL.search(name)
    if found is None:
        return ""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if "\ud800" <= found[0] <= "\udfff":
        return f"the name of the file {shown} is no UTF-8"
    return f"the name of the file {ascii(shown)[1:-1]} holds the control character U+{ord(found[0]):04X}"


def _weighed(file: Path) -> FoundFile:
    stat = file.stat()
    return FoundFile(file.name, stat.st_size, stat.st_mtime_ns)


def note_of(covers: str) -> str:
    """Return the text of the note of a batch that speaks about some months (``2025-10:2025-12``)."""
    return json.dumps({"covers": covers}) + "\n"


def covers_of(batch: FoundBatch) -> str:
    """Return the months that a batch speaks about as its writer says (``2025-10:2025-12``), empty if nothing is said.

    Raises:
        LandingError: what its writer says cannot be read.
    """
    if batch.note is None:
        return ""
    step = 'Write it as {"covers": "2025-10:2025-12"}, in a batch of another arrival'
    try:
        said = json.loads((batch.path / NOTE).read_text(encoding="utf-8"))
        covers = said["covers"]
        wanted = months.parse_range(covers)
    except (UsageError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LandingError(f"{NOTE} does not say which months the batch covers", step) from error
    return f"{months.label(wanted[0])}:{months.label(wanted[-1])}"


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a batch: SHA-256 over the sorted list of (file name, SHA-256 of the file's bytes)."""
    digest = hashlib.sha256()
    for name, sha256 in sorted(files):
        digest.update(f"{name}\0{sha256}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


@dataclass(frozen=True)
class Landed:
    """A batch that was put into the landing zone.

    Attributes:
        batch_id: its id.
        digest: its digest.
        path: its directory.
        rows: data rows in its files.
        quarantined: rows of them that go to quarantine whatever the other sources hold.
        reasons: why the first of these rows do.
        unknown_columns: columns that are not modelled.
        doubts: what a person should look at although each row is good.
    """

    batch_id: str
    digest: str
    path: Path
    rows: int
    quarantined: int
    reasons: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def land(
    settings: Settings,
    source: Source,
    files: Sequence[Path],
    arrival: datetime | None = None,
    covers: Sequence[date] = (),
    *,
    is_claimed: bool = False,
) -> Landed:
    """Check files and put them into the landing zone as one batch, atomically.

    ``covers`` are months that the batch speaks about beside those of its rows: there is nothing more to tell of them. What
    would be rejected as a whole is refused. Bad rows are not: they are told, and go to quarantine when the batch is read.
    ``is_claimed`` says that the caller has made the empty directory of the arrival, so that nobody else can take it.

    Raises:
        LandingError: a file is missing, cannot be read or lacks a column, two have one name, the arrival is taken or ahead.
        UsageError: no file is given, or the arrival has no offset.
    """
    if not files:
        raise UsageError("no file is given", "Name at least one file")
    if arrival is not None and arrival.tzinfo is None:
        raise UsageError("the arrival has no offset", "Write it as YYYYMMDDTHHMMSSZ")
    if arrival is not None and arrival > counts_by():
        raise LandingError(
            f"the arrival {arrival.astimezone(UTC):{ARRIVAL_FORMAT}} lies ahead: it is {clock.now():{ARRIVAL_FORMAT}} now",
            "Land the files with an arrival that is past, or without one; if the clock of this machine is wrong, set it",
        )
    _check_names(files, notated=source.notation is not None)
    directory = settings.landing_path / source.stream / source.name
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished(directory, "landing") as place:
            prepared = place / "batch"
            prepared.mkdir()
            copies = [_copy(file, prepared / file.name) for file in files]
            note = _note(prepared, covers)
            checked = _check(settings, source, copies, note, arrival)
            sync(prepared)
            batch = _show(prepared, directory, arrival, is_claimed=is_claimed)
            sync(directory)
    except OSError as error:
        raise LandingError(f"the files cannot be landed: {error}", "Check the files and the landing zone") from error
    return Landed(f"{source.prefix}{batch.name}", path=batch, **checked)


def _check_names(files: Sequence[Path], *, notated: bool) -> None:
    names = [file.name for file in files]
    for file in files:
        if not file.is_file():
            raise LandingError(f"there is no file {file}", "Name files that exist")
        if problem := name_problem(file.name):
            raise LandingError(problem, "Rename the file")
        if file.name.startswith((".", "_")):
            raise LandingError(f"{file.name} would not be read: its name begins with '{file.name[0]}'", "Rename the file")
        if problem := format_problem(file.name, notated=notated):
            raise LandingError(f"{file.name} {problem}", "Convert the file")
        if names.count(file.name) > 1:
            raise LandingError(f"two files are named {file.name}", "Rename one of them")


def _note(prepared: Path, covers: Sequence[date]) -> list[tuple[str, str]]:
    """Write what is said about a batch; return name and digest of the file, nothing if nothing is said."""
    if not covers:
        return []
    text = note_of(f"{months.label(min(covers))}:{months.label(max(covers))}")
    (prepared / NOTE).write_text(text, encoding="utf-8")
    sync(prepared / NOTE)
    return [(NOTE, hashlib.sha256(text.encode()).hexdigest())]


def _copy(file: Path, to: Path) -> Path:
    shutil.copyfile(file, to)
    sync(to)
    return to


def _check(
    settings: Settings, source: Source, files: Sequence[Path], note: Sequence[tuple[str, str]], arrival: datetime | None
) -> dict[str, Any]:
    """Read the copies as ingestion will; return what ``Landed`` tells of them."""
    (source,) = under([source], settings)
    facts = [inspect(file, Limits.of(settings)) for file in files]
    with duckdb.connect(config=configuration(settings)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        arrivals = dict.fromkeys(files, arrival or clock.now())
        staged = Stager(connection, source, settings.currency, arrivals=arrivals).stage(facts)
        if staged.problems:
            reason = "; ".join(problem for _, problem in sorted(staged.problems.items()))
            raise LandingError(f"the batch would be rejected: {reason}", "Correct the file and land it again")
        names = {number: path.name for path, number in staged.numbers.items()}
        connection.execute("create temp table counted as select unnest(?::INTEGER[]) as f", [list(names)])
        numbered = f"(select s.f, s.rowid as row, s.static_errors from {staged.table} as s semi join counted using (f))"
        rows, quarantined = connection.execute(f"select count(*), count(static_errors) from {numbered}").fetchall()[0]
        suspected = doubts.doubts(connection, source, doubts.numbered(staged.table, names))
        bad = connection.execute(f"""
            select f, row - min(row) over (partition by f) + 1 as row_number, static_errors
            from {numbered} qualify static_errors is not null order by all limit {_SHOWN}
        """).fetchall()
    return {
        "digest": digest_of([*((file.name, file.sha256) for file in facts), *note]),
        "rows": rows,
        "quarantined": quarantined,
        "reasons": tuple(f"{names[number]} row {row}: {errors}" for number, row, errors in bad),
        "unknown_columns": tuple(sorted({column for columns in staged.unknown.values() for column in columns})),
        "doubts": suspected,
    }


def _show(prepared: Path, directory: Path, arrival: datetime | None, *, is_claimed: bool) -> Path:
    """Give the prepared directory its name; without an arrival, the first second from now on that is free."""
    instant = (arrival or clock.now()).astimezone(UTC).replace(microsecond=0)
    while True:
        batch = directory / instant.strftime(ARRIVAL_FORMAT)
        # mkdir claims the name, for a rename would replace an empty directory; nobody reads a batch without files.
        try:
            batch.mkdir(exist_ok=is_claimed)
        except FileExistsError:
            if arrival is not None:
                raise LandingError(
                    f"there is a batch {batch.parent.parent.name}/{batch.parent.name}/{batch.name} already",
                    "A batch never changes: land the files under another arrival",
                ) from None
            instant += timedelta(seconds=1)
            continue
        prepared.replace(batch)
        return batch
