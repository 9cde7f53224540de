"""The inbox: files that somebody drops there become batches by themselves, each once, whatever dies in between.

Belongs here: which of its entries are ready, taking them in steps that each last before the next begins, and what is left by a
step that was cut off. Does not belong here: what a batch is (``zone``), who looks when (``orchestration.inbox``, the command
line), telling of what was refused (``desk.alerts``).

``<inbox>/<stream>/<source>/<name>`` is an item: a file, or a directory of files. It is renamed to
``_taking/<stream>/<source>/<arrival>/<name>``, landed under that arrival, whose name in the landing zone was claimed before, and
renamed to ``_processed`` or, where the batch is refused as a whole, to ``_rejected`` with the reason beside it.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from revenue_integrity import clock, locks
from revenue_integrity.errors import LandingError, RevenueIntegrityError, UsageError
from revenue_integrity.files import sync, write_whole
from revenue_integrity.landing.zone import ARRIVAL_FORMAT, counts_by, land, parse_arrival
from revenue_integrity.model.source import Source
from revenue_integrity.settings import Settings

TAKING, PROCESSED, REJECTED = "_taking", "_processed", "_rejected"
MAPPING = "mapping.toml"
DONE, REASON = ".done", ".reason.txt"

_LOCK = ".lock"
_UNFINISHED = (".tmp", ".part", ".filepart", ".crdownload")
"""Names that programs give to what they still write."""

SourceOf = Callable[[str, str], Source]
"""The declaration of a source of a stream; raises ``UsageError`` where there is none."""


@dataclass(frozen=True)
class Taken:
    """What became of an item.

    Attributes:
        item: ``<stream>/<source>/<name>``.
        batch_id: the batch that it is now; empty if it is none.
        refused: why it was refused as a whole; empty if it was not.
        left: why it was left where it is, to be tried again; empty if it was not.
    """

    item: str
    batch_id: str = ""
    refused: str = ""
    left: str = ""


@dataclass(frozen=True)
class _Item:
    path: Path
    modified: int

    @property
    def done(self) -> Path:
        return self.path.with_name(f"{self.path.name}{DONE}")


def take_in(settings: Settings, source_of: SourceOf) -> list[Taken]:
    """Land every item that is ready, and what an earlier look left half taken; return what became of each.

    Raises:
        OSError: the inbox cannot be read or locked.
    """
    inbox = settings.inbox_path
    if not inbox.is_dir():
        return []
    found = []
    with locks.held(inbox / _LOCK):
        for folder in _half_taken(inbox):
            found += _finished(settings, source_of, folder)
        for stream, name in _folders(inbox):
            try:
                source = source_of(stream, name)
            except UsageError as error:
                found += [Taken(f"{stream}/{name}/{each.path.name}", left=error.reason) for each in _items(inbox / stream / name)]
                continue
            for item in _items(inbox / stream / name):
                if _is_ready(item, settings.inbox_settle_seconds):
                    taken = _taken(settings, source_of, source, item)
                    if taken is None:
                        # No arrival is free that is not ahead: the next look has some.
                        break
                    found += taken
    return found


def rejected(settings: Settings) -> list[tuple[str, str]]:
    """Return what was refused as a whole and still lies there: ``<stream>/<source>/<arrival>/<name>`` with the reason."""
    place = settings.inbox_path / REJECTED
    files = sorted(place.glob(f"*/*/*/*{REASON}"))
    return [
        (str(file.relative_to(place))[: -len(REASON)], file.read_text(encoding="utf-8", errors="replace").strip())
        for file in files
    ]


# What is there


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((each for each in entries if not each.name.startswith((".", "_"))), key=lambda each: each.name)


def _folders(inbox: Path) -> Iterator[tuple[str, str]]:
    for stream in _visible(inbox):
        if stream.is_dir(follow_symlinks=False):
            for source in _visible(Path(stream.path)):
                if source.is_dir(follow_symlinks=False):
                    yield stream.name, source.name


def _items(folder: Path) -> list[_Item]:
    """Return what may become a batch, the oldest first."""
    found = []
    for entry in _visible(folder):
        is_item = entry.name != MAPPING and not entry.name.lower().endswith((DONE, *_UNFINISHED))
        if is_item and (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            try:
                found.append(_Item(Path(entry.path), entry.stat(follow_symlinks=False).st_mtime_ns))
            except FileNotFoundError:
                # Whoever dropped it took it away again.
                continue
    return sorted(found, key=lambda each: (each.modified, each.path.name))


def _is_ready(item: _Item, settle_seconds: int) -> bool:
    """Return whether nobody writes an item any more: whoever says so, or its size and time have stayed as they are.

    The file system notes the time of each change of either, also where a copy keeps the time of the original.
    """
    if item.done.is_file():
        return True
    try:
        stats = [item.path.lstat()]
        if item.path.is_dir():
            inside = list(item.path.rglob("*"))
            if any(each.name.lower().endswith(_UNFINISHED) for each in inside):
                return False
            files = [each.lstat() for each in inside]
            if not any(each.st_size for each, path in zip(files, inside, strict=True) if path.is_file()):
                return False
            stats += files
        elif not stats[0].st_size:
            return False
    except FileNotFoundError:
        return False
    changed = max(each.st_ctime for each in stats)
    return clock.now().timestamp() - changed >= settle_seconds


# Taking


def _claimed(directory: Path) -> datetime | None:
    """Return the first free second after now and the source's latest that is not ahead, its name claimed; ``None``: not yet."""
    directory.mkdir(parents=True, exist_ok=True)
    now = clock.now()
    known = []
    for entry in _visible(directory):
        try:
            known.append(parse_arrival(entry.name))
        except UsageError:
            continue
    latest = max([now, *(each for each in known if each <= counts_by())]).astimezone(UTC).replace(microsecond=0)
    arrival = latest + timedelta(seconds=1)
    while arrival <= counts_by():
        try:
            (directory / arrival.strftime(ARRIVAL_FORMAT)).mkdir()
        except FileExistsError:
            arrival += timedelta(seconds=1)
            continue
        sync(directory)
        return arrival
    return None


def _taken(settings: Settings, source_of: SourceOf, source: Source, item: _Item) -> list[Taken] | None:
    """Take an item away and land it; ``None`` where no arrival is free."""
    named = f"{source.stream}/{source.name}/{item.path.name}"
    zone = settings.landing_path / source.stream / source.name
    arrival = _claimed(zone)
    if arrival is None:
        return None
    name = arrival.strftime(ARRIVAL_FORMAT)
    folder = settings.inbox_path / TAKING / source.stream / source.name / name
    try:
        _make(folder, settings.inbox_path)
        item.path.rename(folder / item.path.name)
    except OSError as error:
        # Landed without being taken away it would be landed again.
        _gone(folder)
        _gone(zone / name)
        return [Taken(named, left=f"it cannot be moved: {error.strerror}")]
    sync(folder)
    sync(item.path.parent)
    return _finished(settings, source_of, folder)


def _half_taken(inbox: Path) -> list[Path]:
    return sorted(each for each in (inbox / TAKING).glob("*/*/*") if each.is_dir())


def _finished(settings: Settings, source_of: SourceOf, folder: Path) -> list[Taken]:
    """Land what was taken, if its batch does not stand yet, and put it where it belongs then."""
    stream, name, arrival = folder.parts[-3:]
    names = {each.name for each in _visible(folder)}
    inside = [each for each in _visible(folder) if each.name.removesuffix(REASON) not in names - {each.name}]
    if not inside:
        # Killed before anything was moved into it.
        _gone(folder)
        _gone(settings.landing_path / stream / name / arrival)
        return []
    (entry,) = inside
    item, named = Path(entry.path), f"{stream}/{name}/{entry.name}"
    batch = settings.landing_path / stream / name / arrival
    if not (batch.is_dir() and any(batch.iterdir())):
        try:
            _land(settings, source_of(stream, name), item, parse_arrival(arrival))
        except (LandingError, UsageError) as error:
            if isinstance(error.__cause__, OSError):
                return [Taken(named, left=str(error))]
            _gone(batch)
            return [_refused(settings, folder, item, named, error)]
        except RevenueIntegrityError as error:
            return [Taken(named, left=str(error))]
    _put(settings.inbox_path, folder, PROCESSED, entry.name)
    return [Taken(named, batch_id=f"{stream}/{name}/{arrival}")]


def _land(settings: Settings, source: Source, item: Path, arrival: datetime) -> None:
    files = _files_of(item)
    mapping = settings.inbox_path / source.stream / source.name / MAPPING
    if not mapping.is_file():
        land(settings, source, files, arrival, is_claimed=True)
        return
    # A mapping brings a reader of workbooks and more with it.
    from revenue_integrity.landing.conversion import land_converted
    from revenue_integrity.landing.mapping import load_mapping

    used = load_mapping(mapping, lambda stream, name: source)
    land_converted(settings, used, source, files, arrival, is_claimed=True)


def _files_of(item: Path) -> Sequence[Path]:
    """Return the files of an item.

    Raises:
        LandingError: something in its directory is no file.
    """
    if not item.is_dir():
        return [item]
    found = _visible(item)
    for each in found:
        if not each.is_file(follow_symlinks=False):
            raise LandingError(f"{item.name}/{each.name} is not a file", "A batch is one directory of files: flatten it")
    return [Path(each.path) for each in found]


def _refused(settings: Settings, folder: Path, item: Path, named: str, error: RevenueIntegrityError) -> Taken:
    write_whole(item.with_name(f"{item.name}{REASON}"), f"{error}\n")
    _put(settings.inbox_path, folder, REJECTED, item.name)
    return Taken(named, refused=str(error))


def _put(inbox: Path, folder: Path, where: str, name: str) -> None:
    """Rename what was taken to where it belongs, and remove who said that it was whole."""
    stream, source, arrival = folder.parts[-3:]
    target = inbox / where / stream / source / arrival
    _make(target.parent, inbox)
    # Left behind by a crash, it would call the next item of this name whole while that is being written.
    (inbox / stream / source / f"{name}{DONE}").unlink(missing_ok=True)
    folder.rename(target)
    sync(target.parent)
    sync(folder.parent)


def _make(folder: Path, inbox: Path) -> None:
    """Make a directory below the inbox that is there after a crash, too."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder
    while place != inbox:
        place = place.parent
        sync(place)


def _gone(folder: Path) -> None:
    """Remove a directory if it is there and empty; what begins with a point in it is ours."""
    if folder.is_dir() and not any(not each.name.startswith(".") for each in folder.iterdir()):
        shutil.rmtree(folder)
