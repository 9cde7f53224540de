"""Users of this machine for tests of who may do what: real accounts and groups, and commands that run as one of them.

Belongs here: making accounts and taking them away, running the program as one. Does not belong here: any expectation.

Only root makes accounts. Where the interpreter or this checkout lies below a folder that others may not enter, commands run in a
mount namespace of their own in which that folder holds these and nothing else.
"""

import contextlib
import grp
import json
import os
import pwd
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from revenue_integrity_tests import programs

ROOT = Path(__file__).parent.parent

_PROGRAM = "from revenue_integrity.cli.program import program; program()"


def need_root(what: str) -> None:
    """Skip the test where this machine does not let it happen; the end of the run names it.

    A right that a machine withholds is nothing that could be installed, in continuous integration no more than elsewhere.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip(f"{programs.MISSING}{what} takes root on Linux")


def _need_namespaces() -> None:
    """Skip the test as ``need_root`` does where root may make no mount namespace: in a container without that right."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"{programs.MISSING}the right to make a mount namespace (CAP_SYS_ADMIN)")


@contextlib.contextmanager
def accounts(group: str, members: Sequence[str], others: Sequence[str]) -> Iterator[dict[str, str]]:
    """Make accounts for a while: members of one group, and others of none; yield the names that they have here."""
    need_root("making accounts")
    mark = f"{os.getpid() % 100_000}"
    names = {name: f"ri{name}{mark}" for name in (*members, *others)}
    shared = f"ri{group}{mark}"
    made: list[list[str]] = []
    try:
        subprocess.run(["groupadd", shared], check=True, capture_output=True)
        made.append(["groupdel", shared])
        for name in members:
            subprocess.run(["useradd", "--no-create-home", "--gid", shared, names[name]], check=True, capture_output=True)
            made.append(["userdel", names[name]])
        for name in others:
            subprocess.run(["useradd", "--no-create-home", "--user-group", names[name]], check=True, capture_output=True)
            made.append(["userdel", names[name]])
        yield names
    finally:
        for undo in reversed(made):
            subprocess.run(undo, check=False, capture_output=True)


def runs(
    name: str, code: str, *arguments: str, umask: int = 0o022, variables: Mapping[str, str], before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python as an account, with a umask; ``before`` is shell that root does first, in a namespace of its own."""
    account = pwd.getpwnam(name)
    whom = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
    opened = _opened()
    alone = ["unshare", "--mount"] if opened or before else []
    if alone:
        _need_namespaces()
    script = f"{opened}\n{before}\numask {umask:o}\ncd /\nexec setpriv {shlex.join(whom)} -- {shlex.quote(sys.executable)} "
    given = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run(
        [*alone, "sh", "-euc", script + shlex.join(["-c", code, *arguments])],
        env=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


_EACH = """
import contextlib, io, json, os, sys, traceback
from revenue_integrity.cli.program import main

ended = []
for arguments in json.loads(sys.stdin.read()):
    if arguments[0] == "!":
        assert os.system(arguments[1]) == 0, arguments
        continue
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as left:
            code = left.code or 0
        except BaseException:
            code = -1
            traceback.print_exc()
    ended.append([arguments, code, out.getvalue(), err.getvalue()])
sys.__stdout__.write(json.dumps(ended))
"""


def one_after_the_other(
    steps: Sequence[Sequence[str]], *, before: str, environment: Mapping[str, str]
) -> list[tuple[list[str], int, str, str]]:
    """Run commands one after the other, in one process and a mount namespace of its own, after what root does first in it.

    A step ``("!", SHELL)`` is no command of the program but one of the shell. Return arguments, exit code, what was printed and
    what was told of each command; the exit code -1 is a traceback.
    """
    need_root("mounting")
    _need_namespaces()
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", f"{before}\nexec {shlex.join([sys.executable, '-c', _EACH])}"],
        input=json.dumps([list(step) for step in steps]),
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return [(arguments, code, out, err) for arguments, code, out, err in json.loads(done.stdout)]


def commands(
    name: str, home: Path, *arguments: str, umask: int = 0o022, before: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run ``revenue-integrity`` as an account over a home."""
    own = {f"REVENUE_INTEGRITY_{key.upper()}": value for key, value in {"home": str(home), **variables}.items()}
    return runs(name, _PROGRAM, *arguments, umask=umask, variables=own, before=before)


def group_of(name: str) -> str:
    """Return the name of an account's group."""
    return grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name


@contextlib.contextmanager
def common_ground() -> Iterator[Path]:
    """Yield a folder in which everybody finds what is his: the folders of tests are their user's alone."""
    with tempfile.TemporaryDirectory(prefix="revenue-integrity-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def _opened() -> str:
    """Return shell that lets everybody reach the interpreter, its libraries and this checkout, inside the namespace."""
    needed = {Path(sys.executable).resolve(), Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), ROOT.resolve()}
    closed: dict[Path, list[Path]] = {}
    for place in sorted(needed):
        for folder in reversed(place.parents):
            if not stat.S_IMODE(folder.stat().st_mode) & stat.S_IXOTH:
                closed.setdefault(folder, []).append(place if place.is_dir() else place.parent)
                break
    lines = ["keep=$(mktemp -d)", "mount -t tmpfs -o mode=755 tmpfs $keep"]
    number = 0
    for folder, places in closed.items():
        kept = []
        for place in dict.fromkeys(places):
            number += 1
            lines += [f"mkdir $keep/{number}", f"mount --bind {shlex.quote(str(place))} $keep/{number}"]
            kept.append((number, place))
        lines.append(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(folder))}")
        for each, place in kept:
            there = shlex.quote(str(place))
            lines += [f"mkdir -p {there}", f"mount --bind $keep/{each} {there}"]
    return "\n".join(lines) if closed else ""
