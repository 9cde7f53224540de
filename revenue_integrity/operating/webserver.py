"""The process that serves the UI: Dagster's webserver and our own pages behind the guard.

Belongs here: putting the guard in front of the webserver's application, and our own pages between. Does not belong here: who is
let in (``ui_guard``), our pages (``ui_pages``), starting this process with its neighbours (``ui``).

Dagster's own command builds the application and serves it in one go, with no place for middleware. What it builds it from has no
public name; these two imports are all that is used of it, and a test serves a real page through them.
"""

import json
import os
import sys
from pathlib import Path

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver import __version__
from dagster_webserver.app import create_app_from_workspace_process_context

from revenue_integrity.operating.ui_guard import Door
from revenue_integrity.operating.ui_pages import Pages
from revenue_integrity.orchestration.attribution import attributing_instance


def serve(workspace: str, door: Door, address: str, packs: Path, *, read_only: bool) -> None:
    """Serve the UI of the instance in ``DAGSTER_HOME``, and the packs beside it, until the process is told to end."""
    is_named = door.auth == "proxy"
    with attributing_instance(os.environ["DAGSTER_HOME"], door.user_header) if is_named else dg.DagsterInstance.get() as instance:
        target = WorkspaceFileTarget([workspace])
        with WorkspaceProcessContext(instance, target, version=__version__, read_only=read_only) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=2000)
            # What is added last stands in front: nobody who is not let in sees a page of ours either.
            app.add_middleware(Pages, packs=packs)
            for each in reversed(door.middleware):
                app.add_middleware(each.cls, *each.args, **each.kwargs)
            # Addresses hold the secret once: nothing writes them down.
            uvicorn.run(app, host=address, port=door.port, log_level="warning", access_log=False)


def main() -> None:
    """Take what the parent hands over on the standard input, where no other process reads it, and serve."""
    given = json.loads(sys.stdin.readline())
    hosts = tuple(given["door"].pop("hosts"))
    serve(
        given["workspace"],
        Door(**given["door"], hosts=hosts),
        given["address"],
        Path(given["packs"]),
        read_only=given["read_only"],
    )


if __name__ == "__main__":
    main()
