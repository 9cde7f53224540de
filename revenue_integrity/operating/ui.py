"""Starting the Dagster UI and its daemon over a home.

Belongs here: the launch, with address, signals and instance set. Does not belong here: what the UI shows.
"""

import errno
import os
import signal
import socket
import sys

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.orchestration.instance import open_instance
from revenue_integrity.settings import PREFIX, Settings

ADDRESS = "127.0.0.1"
"""The UI has no login: it is never bound wider (see the runbook for showing it to others)."""


def serve(settings: Settings) -> None:
    """Replace this process by the UI and daemon; returns only by raising.

    Raises:
        RevenueIntegrityError: the port is taken.
    """
    refuse_taken_port(settings.ui_port)
    with open_instance(settings) as instance:
        home = instance.root_directory
    # A background shell hands down ignored signals, which the UI's processes would inherit and never stop.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_DFL)
    environment = os.environ | {"DAGSTER_HOME": home, f"{PREFIX}HOME": str(settings.home)}
    arguments = ["-m", "revenue_integrity.definitions", "-h", ADDRESS, "-p", str(settings.ui_port)]
    print(f"The UI opens on http://{ADDRESS}:{settings.ui_port} (Ctrl-C stops it)", file=sys.stderr, flush=True)
    # The one process that starts both is what Dagster's own successor of the command needs another project layout for.
    quiet = ["-W", "ignore:Function `dev_command` is superseded"]
    os.execve(sys.executable, [sys.executable, *quiet, "-m", "dagster", "dev", *arguments], environment)


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
