"""What a process of this program sets for itself when it begins and when it ends, and what it may use of the machine.

Belongs here: settings of the interpreter, leaving it, its processors. Does not belong here: settings of a deployment
(``settings``).
"""

import atexit
import gc
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from shutil import which

_COMMAND = re.compile(r"(?<![\w./-])revenue-integrity(?= [a-z-])")
"""The program where a sentence names a command of it."""

_OBJECTS_AT_BEGINNING = 1_000_000
"""New objects from which the interpreter looks for garbage while a process begins: more than there are then."""

_OBJECTS_AT_WORK = 50_000
"""The same of a process at work; the interpreter's own default is some hundreds."""


def processors() -> int:
    """Return how many processors this process may run on: those that it is bound to, where the system binds processes."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


PROGRAM = "revenue-integrity"
"""What the command is called in every sentence, wherever it was installed."""


def as_typed(words: str) -> str:
    """Return a sentence with the commands in it as they can be typed where this process was started.

    In an environment that is not active the command is found by its path alone.
    """
    started = Path(sys.argv[0])
    if started.name != PROGRAM or os.sep not in sys.argv[0] or which(PROGRAM) is not None:
        return words
    here = os.path.relpath(started)
    shown = here if len(here) < len(str(started)) else str(started)
    return _COMMAND.sub(lambda _: quote(shown), words)


def beginning() -> None:
    """Have what a process does for itself while it begins take little: the sooner it is called, the less.

    Modules and definitions, half a million objects, are made then and stay: looking for cyclic garbage among them again and again
    while they come takes a tenth of a short command, and later volume is the engine's and Arrow's, which this does not concern.
    Nobody outside the group may read or write what a process makes; whether the group may write it is the user's to say (umask).
    Linear algebra, which nobody does here, starts a thread per processor as soon as it is loaded, and each waits busily.
    """
    os.umask(os.umask(0o077) | 0o007)
    gc.set_threshold(_OBJECTS_AT_BEGINNING)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def group_may_write() -> bool:
    """Return whether what this process makes can be written by its group."""
    mask = os.umask(0o077)
    os.umask(mask)
    return not mask & 0o020


def begun() -> None:
    """Tell that from now on objects are made for a while: garbage is looked for, yet not among those that are there already.

    The first call in a process decides what is there already: what later ones found could be garbage by then.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        # An ordinary end takes them apart, and the engine complains of what is left.
        atexit.register(gc.unfreeze)
    gc.set_threshold(_OBJECTS_AT_WORK)


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Leave the process without taking its objects apart, once it ends after the block as ``sys.exit`` ended the block.

    The system takes the memory back at once; to free each object before took a sixth of a short command. All that is to be done
    in the end is done as ever, threads and what others have registered included, for what is registered first is called last.
    What ends in any other way than by ``sys.exit`` ends as ever.
    """
    code: int | None = None

    def leave() -> None:
        if code is None:
            return
        logging.shutdown()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            # The interpreter tells what could not be written.
            return
        os._exit(code)

    atexit.register(leave)
    try:
        yield
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            code = ended.code or 0
        raise
