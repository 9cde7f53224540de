"""A deployment: a home's settings with the streams in it.

Belongs here: what is handed to everything that works for all streams. Does not belong here: which streams there are
(``streams.registry``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from revenue_integrity.errors import UsageError
from revenue_integrity.model.source import Source
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings


@dataclass(frozen=True)
class Deployment:
    """A home and what runs in it.

    Attributes:
        settings: the home's settings.
        streams: its streams, in the order in which people see them.
    """

    settings: Settings
    streams: Sequence[Stream]

    def stream(self, name: str) -> Stream:
        """Return a stream; raise ``UsageError`` with the names that there are."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise UsageError(f"there is no stream '{name}'", f"Streams: {', '.join(stream.name for stream in self.streams)}")

    def source(self, stream: str, name: str) -> Source:
        """Return a source of a stream; raise ``UsageError`` with the names that there are."""
        sources = self.stream(stream).sources
        for source in sources:
            if source.name == name:
                return source
        raise UsageError(f"there is no source '{name}' in {stream}", f"Sources: {', '.join(each.name for each in sources)}")
