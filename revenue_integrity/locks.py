"""Locks between processes: a file or directory that one process holds alone, or several share.

Belongs here: taking and leaving them. Does not belong here: what is kept apart by one, or what is said to who waits in vain.

They are locks of the kernel (``flock``): those of a process that dies are gone with it, so none is ever left behind and none has
to be judged old. Two handles exclude each other within a process, too.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RETRY_SECONDS = 0.05

FOREVER = float("inf")


@contextmanager
def held(place: Path, *, shared: bool = False, wait_seconds: float = FOREVER, make: bool = True) -> Iterator[bool]:
    """Hold a lock on a file or directory; yield whether it is held: it is not where others held it all the time that this waits.

    A shared lock needs no more than the right to read a file that is there.

    Args:
        place: the file or directory.
        shared: whether others that share it may hold it at the same time.
        wait_seconds: how long to wait for others.
        make: whether a file is made where there is nothing.

    Raises:
        OSError: the file cannot be made or opened.
    """
    handle = _opened(place, shared=shared, make=make)
    try:
        yield _taken(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait_seconds)
    finally:
        os.close(handle)


def _opened(place: Path, *, shared: bool, make: bool) -> int:
    if not make or place.is_dir() or (shared and place.is_file()):
        return os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    return os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)


def _taken(handle: int, how: int, wait_seconds: float) -> bool:
    give_up_at = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(handle, how | (0 if wait_seconds == FOREVER else fcntl.LOCK_NB))
        except BlockingIOError:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(_RETRY_SECONDS)
        else:
            return True
