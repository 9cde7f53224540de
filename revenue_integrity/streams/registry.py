"""Which streams there are: a line each, and nothing else that names them all.

Belongs here: the list, and the deployment that it makes of a home. Does not belong here: their content, which is imported
when somebody asks for a stream, and not before: a command for one stream imports that one.
"""

from functools import partial

from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Streams, loaded
from revenue_integrity.settings import Settings

STREAMS = {
    "colocation": "revenue_integrity.streams.colocation.stream:COLOCATION",
    "cloud": "revenue_integrity.streams.cloud.stream:CLOUD",
}
"""Where each stream is declared (module and name), by its name, in the order in which people see them."""


def deployment_of(settings: Settings) -> Deployment:
    """Return the home that settings describe, with the streams that there are in it."""
    return Deployment(settings, Streams({name: partial(loaded, place) for name, place in STREAMS.items()}))
