"""Which streams there are.

Belongs here: the list, and finding a source or table by the names that people use. Does not belong here: their content.
"""

from revenue_integrity.errors import UsageError
from revenue_integrity.model.source import Source, raw_table
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.streams.cloud.stream import CLOUD
from revenue_integrity.streams.colocation.stream import COLOCATION

STREAMS: tuple[Stream, ...] = (COLOCATION, CLOUD)


def stream_named(name: str) -> Stream:
    """Return a stream; raise ``UsageError`` with the names that there are."""
    for stream in STREAMS:
        if stream.name == name:
            return stream
    raise UsageError(f"there is no stream '{name}'", f"Streams: {', '.join(stream.name for stream in STREAMS)}")


def source_named(stream: str, name: str) -> Source:
    """Return a source of a stream; raise ``UsageError`` with the names that there are."""
    sources = stream_named(stream).sources
    for source in sources:
        if source.name == name:
            return source
    raise UsageError(f"there is no source '{name}' in {stream}", f"Sources: {', '.join(source.name for source in sources)}")


def all_tables() -> dict[str, Table]:
    """Return every table by its qualified name, raw tables included.

    Raises:
        ValueError: two streams use one name; datasets are found by name alone.
    """
    tables: dict[str, Table] = {}
    for stream in STREAMS:
        for table in [*(raw_table(source) for source in stream.sources), *(rule.table for rule in stream.rules)]:
            if table.qualified in tables:
                raise ValueError(f"two streams have a table {table.qualified}")
            tables[table.qualified] = table
    return tables
