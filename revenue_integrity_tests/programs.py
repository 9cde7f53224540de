"""Programs that tests run beside Python: a browser that opens the pack, an office that opens the workbook, the Java under Spark.

Belongs here: which there are, finding them, and installing those that are missing: ``make test`` first runs
``python -m revenue_integrity_tests.programs``. Does not belong here: what comes as a wheel, as PostgreSQL does (``postgres``).

Where a program is missing and nothing may install it, its tests are skipped, and the end of the run names them with the line that
installs it (``conftest``). In continuous integration (``CI`` is set) they fail.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Program:
    """A program and where it comes from.

    Attributes:
        what: what people call it.
        commands: the names under which systems have it; any one will do.
        packages: what brings it on Debian and its relatives.
    """

    what: str
    commands: tuple[str, ...]
    packages: tuple[str, ...]


PROGRAMS = {
    "browser": Program("a browser", ("chromium", "chromium-browser", "google-chrome"), ("chromium", "fonts-dejavu-core")),
    "office": Program("an office", ("soffice", "libreoffice"), ("libreoffice-calc", "fonts-dejavu-core")),
    "java": Program("Java", ("java",), ("default-jre-headless",)),
    "systemd": Program("the checker of systemd's units", ("systemd-analyze",), ("systemd",)),
    "localhost": Program("a name for this machine (localhost)", (), ("libnss-myhostname",)),
}
"""The last is no program, but missing like one: a bare system has no ``/etc/hosts``, and Spark looks for itself by that name."""

MISSING = "missing on this machine: "
"""How the reason of such a skip begins."""


def found(name: str) -> str | None:
    """Return the path of a program, or None; of a name, its address."""
    if name == "localhost":
        return _address_of(name)
    home = os.environ.get("JAVA_HOME") if name == "java" else None
    if home:
        return shutil.which(Path(home, "bin", "java"))
    return next((path for path in map(shutil.which, PROGRAMS[name].commands) if path), None)


def _address_of(name: str) -> str | None:
    try:
        return socket.gethostbyname(name)
    except OSError:
        return None


def needed(name: str) -> str:
    """Return the path of a program that a test cannot do without; skip the test where it is missing, or fail in CI."""
    path = found(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{MISSING}{PROGRAMS[name].what}; {install_line([name])}")
        pytest.skip(f"{MISSING}{PROGRAMS[name].what}")
    return path


def install_line(names: Collection[str]) -> str:
    """Return the line that installs some programs."""
    return f"sudo apt-get install {' '.join(_packages(names))}"


def _packages(names: Collection[str]) -> list[str]:
    return sorted({package for name in names for package in PROGRAMS[name].packages})


def _as_root() -> list[str] | None:
    """Return what a command of root begins with, or None where this user may run none without being asked."""
    if os.geteuid() == 0:
        return []
    asks_nothing = (
        shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    )
    return ["sudo", "-n"] if asks_nothing else None


def install() -> None:
    """Install what is missing, where that is possible; say what is done, and what could not be."""
    missing = [name for name in PROGRAMS if found(name) is None]
    if not missing:
        return
    told = f"Tests run {', '.join(PROGRAMS[name].what for name in missing)}, which this machine lacks"
    prefix = _as_root() if shutil.which("apt-get") else None
    if prefix is None:
        print(f"{told}, and nothing may be installed here: {install_line(missing)}", file=sys.stderr, flush=True)
        return
    print(f"{told}: installing {', '.join(_packages(missing))} ...", file=sys.stderr, flush=True)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    for command in ([*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", *_packages(missing)]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{command[-1] if command[-1] == 'update' else 'install'} failed: {done.stderr.strip()}", file=sys.stderr)
            return


if __name__ == "__main__":
    from revenue_integrity_tests import tmdl_parser

    install()
    tmdl_parser.install()
