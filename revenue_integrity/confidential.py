"""Secrets: where they come from, and striking them out of whatever is told or kept.

Belongs here: reading a secret from a variable, a mounted file or a command, and knowing what must not be told. Does not belong
here: what a secret opens (``landing.pull``, ``desk.alerts``).

A secret is named, never written down: ``env:NAME`` (a variable), ``file:PATH`` (a mounted file that others cannot read) or
``command:PROGRAM ARGUMENT…`` (its output, without a shell). What was read once is struck out from then on.
"""

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from revenue_integrity.errors import UsageError
from revenue_integrity.settings import Settings

REFERENCE = re.compile(r"(env|file|command):(.+)", re.DOTALL)
"""How a secret is named."""

STRUCK = "***"

_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]*:[^\s]*@")
"""User and password in a URL; greedy, for a password may hold what ends one."""

_TELLTALE = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|DSN|API_?KEY|_URL$", re.IGNORECASE)

_SHORTEST_SECRET = 6
"""Shorter values are no secrets, but words that would be struck out everywhere."""

_COMMAND_SECONDS = 30

_LONGEST = 64 * 1024
"""Bytes of the longest secret: a file or command that gives more gives something else."""

_read: set[str] = set()
"""What this process has read."""


def secret_named(reference: str) -> str:
    """Return the secret that a reference names; what has no kind in front is the name of a variable.

    Raises:
        UsageError: there is none, or a file may be read by others than its owner and group, or written by others than its owner.
    """
    found = REFERENCE.fullmatch(reference)
    kind, what = (found[1], found[2]) if found else ("env", reference)
    value = {"env": _of_variable, "file": _of_file, "command": _of_command}[kind](what)
    remember(value)
    return value


def remember(*secrets: str) -> None:
    """Have texts struck out from now on, and the password of each that is a URL."""
    for secret in secrets:
        password = re.search(r"://[^\s/@:]*:([^\s]*)@", secret)
        _read.update(each for each in (secret, password[1] if password else "") if len(each) >= _SHORTEST_SECRET)


def _of_variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise UsageError(f"the environment variable {name} is not set", "Set it to the database's URL or password")
    return value


def _of_file(name: str) -> str:
    path = Path(name)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise UsageError(f"the secret {path} is no regular file", "Name the file that holds it")
            if mode & 0o027:
                raise UsageError(
                    f"the secret {path} has the mode {stat.S_IMODE(mode):04o}: others may read it, or its group write it",
                    f"Give it 0400 or 0440: chmod 0440 {shlex.quote(str(path))} (of a mount: its default mode)",
                )
            content = file.read(_LONGEST + 1)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"the secret {path} cannot be read: {words}", "Mount it, and let the program's user read it") from None
    return _text(content, f"the secret {path}")


def _of_command(line: str) -> str:
    try:
        words = shlex.split(line)
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_SECONDS, check=False)
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"the command that gives a secret failed: {type(error).__name__}", "Try it in a shell") from None
    if ended.returncode:
        # What it said may hold the secret, or part of it.
        raise UsageError(f"the command {words[0]} that gives a secret ended with {ended.returncode}", "Try it in a shell")
    return _text(ended.stdout, f"what the command {words[0]} printed")


def _text(content: bytes, what: str) -> str:
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _LONGEST:
        raise UsageError(f"{what} is no secret: it is empty, too long, or no text", "Put the URL or password there, alone")
    return text


def known(settings: Settings) -> frozenset[str]:
    """Return the secrets that settings and environment are known to hold."""
    channels = [url for urls in settings.alert_channels.values() for url in urls]
    found = {url.get_secret_value() for url in [*channels, *settings.alert_escalation_channels]}
    databases = [each.url_env for each in settings.pull_sources] + [each.url_env for each in settings.deliveries]
    names = {each.removeprefix("env:") for each in databases}
    names |= {name for name in os.environ if _TELLTALE.search(name)}
    found |= {os.environ.get(name, "") for name in names}
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST_SECRET)


def struck(text: str, settings: Settings | None = None, more: Iterable[str] = ()) -> str:
    """Return a text without any secret: those that this process has read, those of the settings, and passwords in URLs."""
    secrets = _read | set(more) | (known(settings) if settings is not None else set())
    # The longest first: a secret may hold another one.
    for secret in sorted(secrets, key=lambda each: (-len(each), each)):
        text = text.replace(secret, STRUCK)
    return _CREDENTIALS.sub(f"{STRUCK}@", text)
