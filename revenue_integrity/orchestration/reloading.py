"""Loading the code location again, where the UI runs: months that the home has not had before are then months of its assets.

Belongs here: asking Dagster's webserver for it, through its own client. Does not belong here: when that is needed
(``late_data``), who else may ask the webserver for anything (``operating.ui_guard``).
"""

import json
from pathlib import Path

from revenue_integrity.settings import Settings


def cookie_name(port: int) -> str:
    """Return the name of the cookie of the UI on a port: browsers keep one set of cookies for all ports of a host."""
    return f"revenue_integrity_ui_{port}"


def ui_session_file(settings: Settings) -> Path:
    """Return the file in which a running UI keeps its secret, for processes of the same user."""
    return settings.dagster_path / "ui.json"


def reload_code(settings: Settings, location: str) -> str:
    """Load a code location again; return why it could not be done, nothing where it was."""
    # The client is needed a few times a year.
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError, ReloadRepositoryLocationStatus

    try:
        headers = headers_of_this_user(settings)
        client = DagsterGraphQLClient("127.0.0.1", port_number=settings.ui_port, headers=headers)
        done = client.reload_repository_location(location)
    except (DagsterGraphQLClientError, OSError) as error:
        # What the client says is its query; why it was not answered stands behind it.
        return f"the UI on port {settings.ui_port} does not answer: {error.__cause__ or error}"
    return "" if done.status is ReloadRepositoryLocationStatus.SUCCESS else f"{done.failure_type}: {done.message}"


def headers_of_this_user(settings: Settings) -> dict[str, str]:
    """Return the headers by which the UI lets this process in.

    Raises:
        OSError: no UI of this user is running.
    """
    if settings.ui_auth == "proxy":
        return {settings.ui_user_header: "revenue-integrity"}
    session = json.loads(ui_session_file(settings).read_text(encoding="utf-8"))
    return {"Cookie": f"{cookie_name(session['port'])}={session['secret']}"}
