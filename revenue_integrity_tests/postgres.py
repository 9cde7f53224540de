"""A PostgreSQL server of its own for a test session.

Belongs here: starting and stopping one with the binaries of the machine. Does not belong here: any test.
"""

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cret-0f-the-test"
USER = "reader"


def _binaries() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))  # noqa: PTH207 -- a pattern over the whole machine
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise RuntimeError("there is no PostgreSQL server on this machine: apt-get install postgresql (the server, not a client)")
    return Path(found[-1] if found else on_path or "").parent


def _as_nobody_important() -> list[str]:
    """Return the command prefix of a user that PostgreSQL lets run: not root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("runuser"):
        raise RuntimeError("PostgreSQL does not run as root, and there is no runuser to become another user")
    return ["runuser", "-u", "postgres", "--"]


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
    binaries, prefix = _binaries(), _as_nobody_important()
    # Another user must reach it, which the directories of the test runner do not allow.
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    if prefix:
        shutil.chown(folder, "postgres", "postgres")
    password, data, log = folder / "password", folder / "data", folder / "log"
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o644)
    port = _free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"

    def run(*command: str | Path) -> None:
        done = subprocess.run([*prefix, *map(str, command)], capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            written = log.read_text(encoding="utf-8") if log.exists() else ""
            raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr or done.stdout}{written}")

    try:
        run(binaries / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", "--pwfile", password, "-E", "UTF8", "--locale=C")
        run(binaries / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
