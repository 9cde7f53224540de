"""Files that survive a crash: written through to disk, replaced by rename.

Belongs here: these two ways of writing. Does not belong here: what is written, or where.
"""

import os
import tempfile
from pathlib import Path


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, written to disk.

    A rename or a new directory is only safe once the directory around it is.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_if_changed(file: Path, text: str) -> bool:
    """Replace a file's text by rename, synced to disk, unless it is the same already; return whether it was written."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
