"""A standalone Spark cluster on this machine, of a master and two workers, for tests that must not be told apart from a real one.

Belongs here: starting and ending it. Does not belong here: what is computed on it.

Nothing of it outlives the test, however the test ends: who is started here is ended here, and dies with this process where the
system knows how (executors leave by themselves when their worker is gone).
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

_LOOPBACK = "127.0.0.1"

_QUICK = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Options of Java for processes that live for some seconds."""

_STARTS_WITHIN = 120
"""Seconds in which a process of the cluster says that it is ready: some on a quiet machine."""

_ENDS_WITHIN = 30

_DIES_WITH_ITS_PARENT = 1
"""``PR_SET_PDEATHSIG`` of Linux."""


@contextmanager
def standalone_cluster(directory: Path) -> Iterator[Mapping[str, str]]:
    """Run a master and two workers of one core; yield the configuration with which a session uses both.

    Raises:
        TimeoutError: a process of the cluster did not come up.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    master = f"spark://{_LOOPBACK}:{port}"
    with ExitStack() as running:
        at_master = ("--host", _LOOPBACK, "--port", str(port), "--webui-port", "0")
        daemon = running.enter_context(_daemon(directory, "master", "org.apache.spark.deploy.master.Master", *at_master))
        _await(daemon, directory / "master.log", r"Starting Spark master at")
        for name in ("one", "two"):
            work = directory / name
            own = ("--host", _LOOPBACK, "--webui-port", "0", "--cores", "1", "--memory", "512m", "--work-dir", str(work), master)
            daemon = running.enter_context(_daemon(directory, name, "org.apache.spark.deploy.worker.Worker", *own))
            _await(daemon, directory / f"{name}.log", r"Successfully registered with master")
        yield {
            "spark.master": master,
            "spark.driver.host": _LOOPBACK,
            "spark.driver.bindAddress": _LOOPBACK,
            "spark.executor.memory": "512m",
            "spark.executor.cores": "1",
            "spark.executor.extraJavaOptions": _QUICK,
            "spark.driver.extraJavaOptions": _QUICK,
            # Both workers take part: work begins when both are there, and is cut into more parts than one has cores.
            "spark.scheduler.minRegisteredResourcesRatio": "1.0",
            "spark.cores.max": "2",
            "spark.sql.shuffle.partitions": "4",
        }


def processes_of(directory: Path) -> list[int]:
    """Return the processes that have something to do with a cluster: its daemons and their executors."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                told = process.joinpath("cmdline").read_bytes() + bytes(process.joinpath("cwd").readlink())
            except OSError:
                # It has ended meanwhile, or is somebody else's.
                continue
            if bytes(directory) in told:
                found.append(int(process.name))
    return sorted(found)


def executors_of(directory: Path) -> set[str]:
    """Return the workers that ran anything for a session: each executor has a directory below that of its worker."""
    return {found.relative_to(directory).parts[0] for found in directory.glob("*/app-*/*/stderr")}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((_LOOPBACK, 0))
        return int(taken.getsockname()[1])


@contextmanager
def _daemon(directory: Path, name: str, java_class: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = dict(os.environ) | {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": _LOOPBACK,
        "SPARK_DAEMON_MEMORY": "192m",
        "SPARK_DAEMON_JAVA_OPTS": f"{_QUICK} -Drevenue.integrity.test={directory}",
    }
    with (directory / f"{name}.log").open("wb") as log:
        # spark-class becomes Java, so this is the process of the daemon itself; the group is that of its executors, too.
        process = subprocess.Popen(
            [str(home / "bin" / "spark-class"), java_class, *arguments],
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dies_with_parent(),  # -- no thread forks here
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a daemon and all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if _signal_group(process.pid, sign):
            try:
                process.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                continue
    # Executors that were told to go and did not.
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, sign: signal.Signals) -> bool:
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    return True


def _dies_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        library.prctl(_DIES_WITH_ITS_PARENT, signal.SIGKILL)

    return ask


def _await(daemon: "subprocess.Popen[bytes]", log: Path, words: str) -> None:
    give_up_at = time.monotonic() + _STARTS_WITHIN
    while not re.search(words, log.read_text(encoding="utf-8", errors="replace")):
        if daemon.poll() is not None or time.monotonic() >= give_up_at:
            raise TimeoutError(f"the cluster did not come up: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        time.sleep(0.2)
