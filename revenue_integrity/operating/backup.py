"""Backing up a home and bringing it back.

Belongs here: one archive that holds all state of a home, consistent while the UI and its daemon run, and its restoration with
every byte verified. Does not belong here: where archives are kept and for how long.

The archive is a plain tar. ``manifest.json`` comes last: an archive without it is unfinished. What is copied how:

- the warehouse while its write lock is held, after a checkpoint: no step of a run is half in it. Published data, catalog and
  ledger are copied under the same lock and that of the ledger, so that they belong to that warehouse;
- the SQLite databases of the Dagster instance through SQLite's own backup, which waits for its writers;
- everything else as files; a file of the landing zone never changes once it is visible.

What can be made again or belongs to one process stays out: scratch warehouses, spilled memory, files that begin with ``.``.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revenue_integrity import clock
from revenue_integrity.close.ledger import Ledger
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.files import made, unfinished
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database

FORMAT = 1
"""Version of the archive's layout."""

MANIFEST = "manifest.json"

_LEFT_OUT = ("tmp", "scratch", "as_of")
"""Directories of a home that hold nothing that cannot be made again."""


class BackupError(RevenueIntegrityError):
    """A home cannot be backed up, or an archive cannot be restored."""


@dataclass(frozen=True)
class Archived:
    """What an archive holds.

    Attributes:
        path: the archive, or the home that it was restored to.
        files: number of files.
        size: their bytes.
        made_at: when the archive was made.
    """

    path: Path
    files: int
    size: int
    made_at: str


class _HashingReader(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read and hash."""
        data = self._file.read(size)
        self.digest.update(data)
        return data


class _Writer:
    """An archive that is being written, and what is in it."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, path: Path, name: str) -> None:
        """Add a file under a name, unless it has gone since it was seen."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            stat = os.fstat(file.fileno())
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = stat.st_size, stat.st_mode & 0o777, stat.st_mtime
            # A log file may grow meanwhile: tar takes the bytes that it was told of.
            reader = _HashingReader(file)
            self._archive.addfile(entry, reader)
        self.files[name] = {"size": entry.size, "sha256": reader.digest.hexdigest(), "modified_ns": stat.st_mtime_ns}

    def add_text(self, name: str, text: str) -> None:
        """Add a text under a name; it is not part of the list of files."""
        data = text.encode()
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime = len(data), int(clock.now().timestamp())
        self._archive.addfile(entry, io.BytesIO(data))


def _places(settings: Settings) -> dict[str, Path]:
    """Return the directories that the archive holds: the home, and what of it was put elsewhere."""
    places = {"home": settings.home}
    if not settings.landing_path.is_relative_to(settings.home):
        places["landing"] = settings.landing_path
    if not settings.published_path.is_relative_to(settings.home):
        places["published"] = settings.published_path
    return places


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below a directory in order, without those of processes at work."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        kept = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in kept if here != root or name not in _LEFT_OUT]
        yield from (here / name for name in sorted(files) if not name.startswith(".") and not (here / name).is_symlink())


def _is_sqlite(path: Path) -> bool:
    return path.suffix in (".db", ".sqlite") and path.is_file()


def _is_sidecar(path: Path) -> bool:
    """Whether a file belongs to an open database and is in the copy of that database already."""
    return path.name.endswith((".db-wal", ".db-shm", ".db-journal", ".duckdb.wal"))


def backup(settings: Settings, target: Path) -> Archived:
    """Write all state of a home into one tar archive, whatever runs at the time; it appears when it is whole.

    A writer of the warehouse is waited for, at most ``lock_timeout_seconds``.

    Raises:
        UsageError: the archive exists already, or would stand inside the home.
        BackupError: there is nothing to back up, or the disk refuses.
        WarehouseError: another process held the warehouse all that time.
    """
    target = target.expanduser().absolute()
    if target.exists():
        raise UsageError(f"{target} exists already", "Choose another name; backups are never overwritten")
    if any(target.is_relative_to(place) for place in _places(settings).values()):
        raise UsageError(f"{target} stands inside the home that it would hold", "Choose a place outside")
    if not any(settings.home.glob("*")):
        raise BackupError(f"the home {settings.home} is empty", "There is nothing to back up")
    if not target.parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}", "Make it first")
    try:
        with made(target) as new, tarfile.open(new, "w", format=tarfile.PAX_FORMAT) as archive:
            writer = _Writer(archive)
            _write(settings, writer)
            made_at = clock.now().isoformat(timespec="seconds")
            manifest = {"format": FORMAT, "made_at": made_at, "places": sorted(_places(settings)), "files": writer.files}
            writer.add_text(MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"the home cannot be backed up: {error}", "Make room and try again") from error
    return Archived(target, len(writer.files), sum(file["size"] for file in writer.files.values()), made_at)


def _write(settings: Settings, writer: _Writer) -> None:
    """Add everything: first what must belong together, under the warehouse's lock; then what stands for itself."""
    together = [settings.catalog_path, settings.published_path, settings.ledger_path, settings.packs_path]
    done: set[Path] = set()

    def add_tree(name: str, place: Path, root: Path) -> None:
        for path in _walk(root):
            if path not in done and not _is_sidecar(path) and path != settings.warehouse_path:
                done.add(path)
                _add(writer, path, f"{name}/{path.relative_to(place).as_posix()}")

    def add_together() -> None:
        for name, place in _places(settings).items():
            for root in together:
                if root.is_relative_to(place):
                    add_tree(name, place, root)

    with ExitStack() as locks:
        if settings.ledger_path.is_dir():
            # As a sign-off does: first the ledger, then the warehouse.
            locks.enter_context(Ledger(settings).locked())
        _write_together(settings, writer, add_together)
    for name, place in _places(settings).items():
        add_tree(name, place, place)


def _write_together(settings: Settings, writer: _Writer, add_together: Callable[[], None]) -> None:
    if settings.warehouse_path.exists():
        # An open writer excludes every other process; after the checkpoint all that was committed is in the one file.
        with database.connect(settings) as connection:
            connection.execute("checkpoint")
            add_together()
            # Last: when a process closes a file, the system drops its locks on it, whoever in the process took them.
            writer.add(settings.warehouse_path, f"home/{settings.warehouse_path.name}")
    else:
        add_together()


def _add(writer: _Writer, path: Path, name: str) -> None:
    if not _is_sqlite(path):
        writer.add(path, name)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as live, closing(sqlite3.connect(copy)) as taken:
            live.backup(taken)
        writer.add(copy, name)


def restore(archive: Path, settings: Settings) -> Archived:
    """Bring an archive back into an empty home, after every byte of it was verified against its manifest.

    Nothing appears in the home before all of it is there: the files are unpacked beside it and moved in the end.

    Raises:
        UsageError: there is no such archive, or the home (or a landing zone or published data elsewhere) is not empty.
        BackupError: the archive is no backup, is unfinished, was changed, or would write outside the home.
    """
    if not archive.is_file():
        raise UsageError(f"there is no archive {archive}", "Name a file that `revenue-integrity backup` wrote")
    places = _places(settings)
    for place in places.values():
        if place.exists() and any(place.iterdir()):
            raise UsageError(f"{place} is not empty", "Restore into an empty home: set REVENUE_INTEGRITY_HOME to a new directory")
    try:
        manifest = _judged(archive)
        if sorted(places) != manifest.places:
            raise BackupError(
                f"the archive holds {', '.join(manifest.places)}, these settings have {', '.join(sorted(places))}",
                "Set landing and published as they were: outside the home, or not",
            )
        settings.home.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(settings.home.parent, settings.home.name) as unpacked:
            _unpack(archive, unpacked, manifest)
            _verify(unpacked, manifest.files)
            for name, place in places.items():
                source = unpacked / name
                source.mkdir(exist_ok=True)
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.exists():
                    place.rmdir()
                shutil.move(source, place)
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise BackupError(f"the archive {archive} cannot be read ({error})", _CHANGED) from error
    except OSError as error:
        raise BackupError(f"the archive cannot be restored: {error}", "Check the disk and the permissions") from error
    return Archived(settings.home, len(manifest.files), sum(file.size for file in manifest.files.values()), manifest.made_at)


class _Told(BaseModel):
    """What a manifest tells of a file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    size: int = Field(ge=0, le=1 << 60)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    modified_ns: int = Field(ge=0, le=1 << 62)


class _Manifest(BaseModel):
    """The manifest of an archive."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    format: Literal[1]
    made_at: str = Field(max_length=40)
    places: list[Literal["home", "landing", "published"]]
    files: dict[str, _Told]

    @model_validator(mode="after")
    def _holds_together(self) -> "_Manifest":
        datetime.fromisoformat(self.made_at)
        if sorted(set(self.places)) != self.places or "home" not in self.places:
            raise ValueError("places: they are home, and at most landing and published, each once, in order")
        for name in self.files:
            path = PurePosixPath(name)
            if str(path) != name or path.is_absolute() or {"..", "."} & set(path.parts) or "\0" in name or len(path.parts) < 2:
                raise ValueError(f"files: {name!r} is no name of a file in a place")
            if path.parts[0] not in self.places:
                raise ValueError(f"files: {name!r} lies outside of {', '.join(self.places)}")
        return self


_LARGEST_MANIFEST = 1 << 30
_CHANGED = "Use another backup: this one is no archive of `revenue-integrity backup`, or was changed"


def _judged(archive: Path) -> _Manifest:
    """Return the manifest of an archive that holds exactly what it names; nothing is written."""
    sizes: dict[str, int] = {}
    text: bytes | None = None
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            if not member.isreg():
                raise BackupError(f"the archive holds {member.name}, which is no file", _CHANGED)
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                raise BackupError(f"the archive holds {member.name}, which lies outside the home", _CHANGED)
            if member.name in sizes or (member.name == MANIFEST and text is not None):
                raise BackupError(f"the archive {archive} holds a file twice ({member.name})", _CHANGED)
            if member.name != MANIFEST:
                sizes[member.name] = member.size
                continue
            content = tar.extractfile(member)
            if content is None or member.size > _LARGEST_MANIFEST:
                raise BackupError(f"the manifest of {archive} cannot be read", _CHANGED)
            text = content.read()
    if text is None:
        raise BackupError(f"the archive {archive} has no manifest: it is unfinished", _CHANGED)
    if b'"format"' in text and (found := re.search(rb'"format": *([0-9]+)', text)) and int(found[1]) != FORMAT:
        raise BackupError(f"the archive {archive} has a layout that this version does not know", _CHANGED)
    try:
        manifest = _Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BackupError(f"the manifest of {archive} is none: {f'{place}: ' if place else ''}{first['msg']}", _CHANGED) from None
    for name in sorted(set(sizes) ^ set(manifest.files)):
        words = "is missing in" if name in manifest.files else "was added to"
        raise BackupError(f"{name} {words} the archive", "Use another backup: this one was changed after it was made")
    for name, size in sorted(sizes.items()):
        if manifest.files[name].size != size:
            raise BackupError(f"{name} in the archive does not have the SHA-256 of its manifest: its size differs", _CHANGED)
    return manifest


def _unpack(archive: Path, into: Path, manifest: _Manifest) -> None:
    """Unpack the files that a manifest names, each compared with it."""
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            if member.name == MANIFEST:
                continue
            content = tar.extractfile(member)
            if content is None or member.name not in manifest.files:
                raise BackupError(f"the archive {archive} changed while it was read", _CHANGED)
            # Written here, not by tarfile's own `extract`: early releases of Python 3.11 know no filter that keeps it safe.
            (into / member.name).parent.mkdir(parents=True, exist_ok=True)
            with content, (into / member.name).open("xb") as file:
                shutil.copyfileobj(content, file)


def _verify(root: Path, files: Mapping[str, _Told]) -> None:
    """Compare every unpacked file with the manifest, and give it back its time of modification.

    Times matter: batches that look untouched are not read again.
    """
    for name, told in sorted(files.items()):
        path = root / name
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 != told.sha256:
            raise BackupError(
                f"{name} in the archive does not have the SHA-256 of its manifest",
                "Use another backup: this one was changed after it was made",
            )
        os.utime(path, ns=(told.modified_ns, told.modified_ns))
