"""The command line as a whole: its groups of commands, how a command begins and ends, exit codes.

Belongs here: putting the groups together, the log of each command, refusals as one line. Does not belong here: any command.
Data go to stdout, everything else to stderr. Exit codes: 0 done; 1 refused or a check failed; 2 wrong usage.
"""

import contextlib
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer

from revenue_integrity import confidential, logs, process
from revenue_integrity.cli import closing, delivering, landing, operating, reading, running
from revenue_integrity.cli.shared import Commands, say
from revenue_integrity.errors import RevenueIntegrityError, SettingsError, UsageError
from revenue_integrity.streams.registry import load_settings

app = Commands(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Ties what was contracted, metered, billed and booked to the cent, month by month.",
)
for group in (landing, running, reading, closing, delivering, operating):
    app.add_typer(group.app)

_VARIABLE = re.compile(r"env:(\w+)|\$\{(\w+)\}")
"""A variable that `pull --url` names: its value is a secret."""


def _command_in(arguments: Sequence[str]) -> str | None:
    """Return the command that arguments name, as `map check`; ``None`` if they name none or ask for help."""
    here: Any = typer.main.get_command(app)
    words: list[str] = []
    for word in [] if "--help" in arguments else arguments:
        if word not in getattr(here, "commands", {}):
            break
        here = here.commands[word]
        words.append(word)
    return None if not words or hasattr(here, "commands") else " ".join(words)


@contextlib.contextmanager
def _logged(arguments: Sequence[str]) -> Iterator[None]:
    """Tell beginning and end of a command in the log of the home; arguments only as far as they name months."""
    command = _command_in(arguments)
    try:
        settings = load_settings() if command else None
    except SettingsError:
        # The command itself tells it; without settings there is no home to write to.
        settings = None
    if settings is None or command is None:
        yield
        return
    named = [word.rpartition("=")[2] for word in arguments]
    month = next((word for word in named if re.fullmatch(r"\d{4}-\d{2}(:\d{4}-\d{2})?", word)), None)
    confidential.remember(*confidential.known(settings))
    variables = [first or second for word in arguments for first, second in _VARIABLE.findall(word)]
    secrets = tuple(os.environ[name] for name in variables if os.environ.get(name))
    confidential.remember(*secrets)
    with logs.writing(settings, command, month=month, secrets=secrets), logs.told("command"):
        yield


@contextlib.contextmanager
def _quiet_if_unread() -> Iterator[None]:
    """End a command well whose reader went away (`| head`): it has seen what it wanted."""
    try:
        yield
        # What is still in the buffer would be written when nobody catches the error any more.
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as ended:
        # The library behind the commands turns a reader that is gone into an exit of its own.
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise
        # Pointing stdout elsewhere keeps the interpreter's exit quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


_STEPS = {
    errno.ENOSPC: "Make room on the disk, and try again",
    errno.EDQUOT: "Make room within the quota, and try again",
    errno.EROFS: "It is mounted read-only: run this where it can be written",
    errno.EACCES: "Give this user the right to it, or run this as its owner",
    errno.EPERM: "Give this user the right to it, or run this as its owner",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.ENOTDIR: "Something on the way to it is no directory: name another place",
    errno.EISDIR: "It is a directory: name a file",
    errno.EMFILE: "Let the process open more files (ulimit -n)",
}
"""What to do about what the system refuses."""


def _told_of_system(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    step = _STEPS.get(error.errno or 0, "Check the disk and the permissions")
    return f"{place}{error.strerror or error}. {step}"


_OF_DATABASES = (
    ("disk is full", _STEPS[errno.ENOSPC]),
    ("no space left", _STEPS[errno.ENOSPC]),
    ("readonly database", _STEPS[errno.EACCES]),
    ("unable to open database file", _STEPS[errno.EACCES]),
    # What a database says that finds no room for the memory which it shares with others.
    ("disk i/o error", "See whether the disk has room and is sound, and try again"),
    ("database is locked", "Another program holds it: try again"),
)


def _told_of_database(error: BaseException) -> str | None:
    """Return what a database behind an error refused, and what to do; ``None`` for any other error."""
    reached: BaseException | None = error
    while reached is not None:
        text = " ".join(str(reached).split("\n")[0].split())[:300]
        for words, step in _OF_DATABASES:
            if words in text.lower():
                return f"{text}. {step}"
        reached = reached.__cause__ or reached.__context__
    return None


def main(arguments: list[str] | None = None, run_app: Callable[..., Any] = app) -> None:
    """Run a command; what a user can cause becomes one line on stderr and an exit code."""
    process.beginning()
    try:
        with _logged(sys.argv[1:] if arguments is None else arguments), _quiet_if_unread():
            run_app(args=arguments, prog_name="revenue-integrity")
    except UsageError as error:
        say(f"error: {error}")
        sys.exit(2)
    except RevenueIntegrityError as error:
        say(f"error: {error}")
        sys.exit(1)
    except OSError as error:
        say(f"error: {_told_of_system(error)}")
        sys.exit(1)
    except Exception as error:
        # A database below a library says in its own words that the disk is full, or that it may not write.
        if (words := _told_of_database(error)) is None:
            raise
        say(f"error: {words}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(1)


def program() -> None:
    """Run the command that this process was started for, and leave."""
    with process.leaving_at_once():
        main()
