"""Starting the Dagster UI and its daemon over a home.

Belongs here: the launch of its processes, with address, secret, signals and instance set. Does not belong here: what the UI
shows, who is let in (``ui_guard``).

Three processes: the code server, which the two others ask for assets and which starts runs; the webserver; the daemon. If one of
them ends, all do, with a sentence.
"""

import dataclasses
import errno
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

import revenue_integrity
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.operating.ui_guard import TOKEN, Door
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.orchestration.reloading import ui_session_file
from revenue_integrity.settings import PREFIX, Settings

ADDRESS = "127.0.0.1"
"""The UI is never bound wider (see the runbook for showing it to others)."""

LOCATION = "revenue_integrity"
"""Name of the code location."""

_LEAVE_SECONDS = 10
"""How long the processes may take to end by themselves; a run that is broken off is asked for again by the next daemon."""

_PATIENCE_SECONDS = 120
"""How long the processes may take to start: loading the code takes seconds, on a busy machine many."""


def serve(settings: Settings, *, read_only: bool = False) -> None:
    """Serve the UI, with its daemon unless nothing may be started, until somebody stops it.

    Raises:
        RevenueIntegrityError: the port is taken, or one of the processes ended by itself.
    """
    refuse_taken_port(settings.ui_port)
    with open_instance(settings) as instance:
        home = instance.root_directory
    door = Door(settings.ui_port, settings.ui_auth, secrets.token_urlsafe(32), settings.ui_hosts, settings.ui_user_header)
    environment = os.environ | {"DAGSTER_HOME": home, "PYTHONSAFEPATH": "1"} | _places(settings)
    with _ended_by_signals(), ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revenue-integrity-ui-")))
        server = place / "code"
        workspace = place / "workspace.yaml"
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": {"socket": str(server), "location_name": LOCATION}}]}))
        children: dict[str, subprocess.Popen[str]] = {}
        stack.callback(_stop, children)
        children["code server"] = _started(_code_server(server), environment, place)
        _wait_for(server, children)
        handed = {
            "door": dataclasses.asdict(door),
            "workspace": str(workspace),
            "address": ADDRESS,
            "packs": str(settings.packs_path.absolute()),
            "read_only": read_only,
        }
        children["webserver"] = _started(["-m", "revenue_integrity.operating.webserver"], environment, place, json.dumps(handed))
        if not read_only:
            children["daemon"] = _started(
                ["-m", "dagster._daemon", "run", "--log-level", "warning", "-w", str(workspace)], environment, place
            )
        _wait_for((ADDRESS, settings.ui_port), children)
        stack.enter_context(_on_record(settings, door))
        _tell(door)
        while True:
            _refuse_ended(children)
            time.sleep(0.5)


def _code_server(server: Path) -> list[str]:
    installed = Path(revenue_integrity.__file__).resolve().parent.parent
    code = ["-m", "revenue_integrity.definitions", "-d", str(installed), "--location-name", LOCATION]
    own = ["--use-python-environment-entry-point", "--log-level", "warning"]
    return ["-m", "dagster", "code-server", "start", "-s", str(server), *code, *own]


def _places(settings: Settings) -> dict[str, str]:
    """Return the variables that name places, as they are from everywhere."""
    places = {name: getattr(settings, name) for name in ("home", "landing", "published")}
    found = {f"{PREFIX}{name.upper()}": str(place) for name, place in places.items() if place is not None}
    config = os.environ.get(f"{PREFIX}CONFIG")
    return found | ({f"{PREFIX}CONFIG": str(Path(config).absolute())} if config else {})


def _started(arguments: list[str], environment: Mapping[str, str], place: Path, handed: str = "") -> "subprocess.Popen[str]":
    """Start a child in a session of its own: it is told to end by us, in order, not by the terminal.

    It is started in a place of ours. Where the command was typed may hold anything: modules named as those that it imports, a
    ``.env`` whose variables Dagster's daemon would take for its own.
    """
    child = subprocess.Popen(
        [sys.executable, *arguments], cwd=place, env=environment, stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    if child.stdin is not None:
        child.stdin.write(f"{handed}\n")
        child.stdin.close()
    return child


def _wait_for(place: Path | tuple[str, int], children: Mapping[str, "subprocess.Popen[str]"]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not answers(place):
        _refuse_ended(children)
        if time.monotonic() > until:
            raise RevenueIntegrityError(
                f"the UI did not start within {_PATIENCE_SECONDS} seconds", "Look at what its processes said above, and try again"
            )
        time.sleep(0.1)


def answers(place: Path | tuple[str, int]) -> bool:
    """Return whether somebody listens on a socket."""
    family = socket.AF_UNIX if isinstance(place, Path) else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(str(place) if isinstance(place, Path) else place) == 0


def _refuse_ended(children: Mapping[str, "subprocess.Popen[str]"]) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise RevenueIntegrityError(
                f"the {name} of the UI ended with code {child.returncode}", "Look at what it said above, and start the UI again"
            )


def _stop(children: Mapping[str, "subprocess.Popen[str]"]) -> None:
    """End the children with what they started, the last started first; what does not end is killed.

    A code server waits for its own children, which nobody else would tell.
    """
    until = time.monotonic() + _LEAVE_SECONDS
    for child in reversed(list(children.values())):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
    for child in children.values():
        try:
            child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End in order when somebody presses Ctrl-C or asks the process to end, also where a shell started it in the background."""

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        print("The UI has stopped.", file=sys.stderr, flush=True)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _on_record(settings: Settings, door: Door) -> Iterator[None]:
    """Keep the secret where only this user reads it, for the daemon that asks the UI to load the code again."""
    file = ui_session_file(settings)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump({"port": door.port, "secret": door.secret}, opened)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _tell(door: Door) -> None:
    address = f"http://{ADDRESS}:{door.port}/"
    if door.auth == "secret":
        address += f"?{TOKEN}={door.secret}"
    print(f"The UI opens on {address} (Ctrl-C stops it)", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        webbrowser.open(address)


def refuse_taken_port(port: int) -> None:
    """Raise ``RevenueIntegrityError`` if the UI cannot listen on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise RevenueIntegrityError(
                f"port {port} on {ADDRESS} is taken", f"Stop what listens there, or set {PREFIX}UI_PORT to another port"
            ) from error
