"""Files and folders that appear whole or not at all, and survive a crash.

Belongs here: the one way in which something is made under a name that nobody reads, written through to disk, and renamed. Does
not belong here: what is written, or where; what only grows, as a log does.

Who makes something holds a lock on the folder in which it does. So what a killed process left is told from what another process
is at work on, and whoever makes something next in the same place takes it away.

Modes are those that the process asks the system for (``process.beginning``): nothing here changes one.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path

from revenue_integrity import locks

_UNFINISHED = re.compile(r"\.(.+\.)?[0-9a-z_]{8}\.new")
"""Names of what is unfinished, the earlier release's among them."""


class Durable(Enum):
    """What must have reached the disk before others rely on what was made."""

    NAME = "its content and its name: nothing else tells that it is there"
    CONTENT = "its content: who needs it makes it again where its name was lost"
    NOTHING = "nothing: it can be made again"


def is_unfinished(name: str) -> bool:
    """Return whether a name is that of something which is being made, or was left by a killed process."""
    return _UNFINISHED.fullmatch(name) is not None


def walked(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file below a folder with what is odd about it: a link, which is not followed, or something that is no file.

    What is being made, or was left unfinished, is passed over; so is the folder that is not there.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in found:
        if entry.is_symlink():
            yield Path(entry.path), "it is a link"
        elif entry.is_dir(follow_symlinks=False):
            if not is_unfinished(entry.name):
                yield from walked(Path(entry.path))
        elif not is_unfinished(entry.name):
            yield Path(entry.path), "" if entry.is_file(follow_symlinks=False) else "it is no regular file"


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, written to disk.

    A rename or a new directory is only safe once the directory around it is.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(path: Path) -> None:
    """Have a file, or a folder with all that is in it, written to disk."""
    for each in sorted(path.rglob("*")) if path.is_dir() else []:
        sync(each)
    sync(path)


@contextmanager
def made(target: Path, *, durable: Durable = Durable.NAME, within: Path | None = None) -> Iterator[Path]:
    """Yield where a file or folder is to be made; when that is done, it takes the place of ``target``.

    Whatever fails leaves the target as it was and nothing else behind. Folders around it are made.

    Args:
        target: the name that others read; a file or folder that has it is replaced.
        durable: what must be on disk before it has its name.
        within: the folder in which it is made, on the same file system; by default the one around the target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(within or target.parent, target.name) as place:
        new = place / "new"
        yield new
        if durable is not Durable.NOTHING:
            sync_all(new)
        if target.is_dir():
            _swap(new, target, aside=place / "old")
        else:
            new.replace(target)
        if durable is Durable.NAME:
            sync(target.parent)


def _swap(new: Path, target: Path, *, aside: Path) -> None:
    """Put a new folder in the place of an old one, which no rename replaces; put the old one back if that fails."""
    target.rename(aside)
    try:
        new.rename(target)
    except BaseException:
        aside.rename(target)
        raise


@contextmanager
def unfinished(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder beside others that nobody reads, and remove it in the end with what is left in it."""
    remove_leftovers(folder)
    with ExitStack() as lock:
        place = _place_in(folder, name, lock)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _place_in(folder: Path, name: str, lock: ExitStack) -> Path:
    """Make a folder and lock it, again where another process took it for a leftover between both."""
    while True:
        place = folder / f".{name}.{secrets.token_hex(4)}.new"
        place.mkdir(mode=0o770)
        try:
            lock.enter_context(locks.held(place, make=False))
        except FileNotFoundError:
            continue
        if place.is_dir():
            return place


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what killed processes left unfinished in a folder; return it. What a process is at work on stays."""
    removed = []
    with os.scandir(folder) as entries:
        found = sorted(entry.name for entry in entries if _UNFINISHED.fullmatch(entry.name))
    for leftover in (folder / name for name in found):
        # It may be gone, or have its name, meanwhile; or be of a user who lets nobody else read it.
        with suppress(OSError), locks.held(leftover, shared=True, wait_seconds=0, make=False) as nobodys:
            if not nobodys:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
            removed.append(leftover)
    return removed


def write_whole(file: Path, content: bytes | str, *, durable: Durable = Durable.NAME, within: Path | None = None) -> None:
    """Write a file, in the place of another or of none; text as UTF-8, line ends as they are."""
    with made(file, durable=durable, within=within) as new:
        new.write_bytes(content.encode() if isinstance(content, str) else content)


def write_if_changed(file: Path, text: str) -> bool:
    """Replace a file's text unless it is the same already; return whether it was written."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    write_whole(file, text, durable=Durable.CONTENT)
    return True
