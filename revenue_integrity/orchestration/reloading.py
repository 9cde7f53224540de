"""Loading the code location again, where the UI runs: months that the home has not had before are then months of its assets.

Belongs here: asking Dagster's webserver for it, through its own client. Does not belong here: when that is needed
(``late_data``).
"""

from revenue_integrity.settings import Settings


def reload_code(settings: Settings, location: str) -> str:
    """Load a code location again; return why it could not be done, nothing where it was."""
    # The client is needed a few times a year.
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError, ReloadRepositoryLocationStatus

    try:
        client = DagsterGraphQLClient("127.0.0.1", port_number=settings.ui_port)
        done = client.reload_repository_location(location)
    except (DagsterGraphQLClientError, OSError) as error:
        # What the client says is its query; why it was not answered stands behind it.
        return f"the UI on port {settings.ui_port} does not answer: {error.__cause__ or error}"
    return "" if done.status is ReloadRepositoryLocationStatus.SUCCESS else f"{done.failure_type}: {done.message}"
