"""Processes of tests: each is one of its own, that can be killed and has its own environment and output, and starts in no time.

Belongs here: starting them. Starting Python and loading the libraries takes longer than what most of them do, so a server that
has loaded everything (``loaded``) forks for each. What is about the start of Python itself, or about what it loads, takes
``subprocess``. Does not belong here: which program is run (``support``).
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

CONTEXT = multiprocessing.get_context("forkserver")
"""Starts functions in processes of their own."""

CONTEXT.set_forkserver_preload(["revenue_integrity_tests.loaded"])


class Program:
    """A piece of Python in a process of its own, with the methods of ``subprocess.Popen`` that tests use."""

    def __init__(self, code: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the code with these arguments and this environment (that of the test unless given)."""
        self.args = ("-c", *arguments)
        ends = [CONTEXT.Pipe(duplex=False) for _ in range(3)]
        (its_in, own_in), (own_out, its_out), (own_err, its_err) = ends
        environment = dict(os.environ if environment is None else environment)
        given = (code, self.args, environment, str(Path.cwd()), its_in, its_out, its_err)
        self._process = CONTEXT.Process(target=_run, args=given, daemon=True)
        self._process.start()
        self.stdin, self.stdout, self.stderr = _file(own_in, "w"), _file(own_out, "r"), _file(own_err, "r")
        for end in (its_in, its_out, its_err):
            end.close()

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """What it ended with (negative: the signal that ended it), none while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return what it ended with, none while it runs."""
        return self.returncode

    def wait(self, timeout: float = 120) -> int:
        """Wait for its end; return what it ended with."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, text: str = "", timeout: float = 120) -> tuple[str, str]:
        """Hand a text in and wait for the end; return what it printed, and what it said on stderr."""
        told: list[str] = []
        reader = threading.Thread(target=lambda: told.append(self.stderr.read()))
        reader.start()
        # Who is killed reads nothing more.
        with contextlib.suppress(BrokenPipeError), self.stdin:
            self.stdin.write(text)
        watch = threading.Timer(timeout, self.kill)
        watch.start()
        began = time.monotonic()
        try:
            printed = self.stdout.read()
            reader.join()
            self.wait()
        finally:
            watch.cancel()
        if time.monotonic() - began >= timeout:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return printed, told[0]

    def __enter__(self) -> "Program":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for its end and close its files."""
        for file in (self.stdout, self.stderr, self.stdin):
            with contextlib.suppress(BrokenPipeError):
                file.close()
        self.wait()


def finished(
    code: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own to its end; its exit code is judged by the caller."""
    process = Program(code, *arguments, environment=environment)
    with process:
        told = process.communicate(timeout=timeout)
    assert process.returncode is not None
    return subprocess.CompletedProcess(process.args, process.returncode, *told)


def _file(end: Connection, mode: str) -> IO[str]:
    file: IO[Any] = os.fdopen(os.dup(end.fileno()), mode, encoding="utf-8")
    end.close()
    return file


def _run(
    code: str, arguments: Sequence[str], environment: Mapping[str, str], folder: str, *ends: Connection
) -> None:  # pragma: no cover -- in a process of its own
    for number, end in enumerate(ends):
        os.dup2(end.fileno(), number)
        end.close()
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = list(arguments)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in enumerate("rww")
    )
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
