"""A deployment: a home's settings with the streams in it and the books that they make up.

Belongs here: what is handed to everything that works for all streams. Does not belong here: which streams there are
(``streams.registry``).
"""

from dataclasses import dataclass, replace

from revenue_integrity.errors import SettingsError, no_such
from revenue_integrity.model.book import Book, books_of
from revenue_integrity.model.source import Source, raw_table
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings


@dataclass(frozen=True)
class Deployment:
    """A home and what runs in it.

    Attributes:
        settings: the home's settings.
        streams: its streams, in the order in which people see them; of a part of a deployment, some of them.
        whole: the names of all streams of the home; empty where ``streams`` are all.

    Raises:
        SettingsError: the setting ``books`` does not fit the streams, or another one names a stream that there is not.
    """

    settings: Settings
    streams: Streams
    whole: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse books that do not fit the streams, and settings that name streams that there are not."""
        _ = self.books
        for delivery in self.settings.deliveries:
            for stream in delivery.select.streams:
                if stream not in (known := self.whole or self.streams.names):
                    raise SettingsError(
                        f"deliveries {delivery.name}: there is no stream {stream}", f"Streams: {', '.join(known)}"
                    )
        for setting in ("data_rules", "expected_every"):
            for name in getattr(self.settings, setting):
                if name.split(".")[0] not in (known := self.whole or self.streams.names):
                    raise SettingsError(f"{setting}: there is no stream of {name}", f"Streams: {', '.join(known)}")

    @property
    def books(self) -> tuple[Book, ...]:
        """The books of the home, in the order of their streams."""
        return books_of(self.settings, self.whole or self.streams.names)

    def book(self, name: str) -> Book:
        """Return a book; raise ``UsageError`` with the names that there are."""
        for book in self.books:
            if book.name == name:
                return book
        raise no_such("book", name, (book.name for book in self.books), "Books")

    def streams_of(self, book: Book) -> list[Stream]:
        """Return the streams of a book, loaded."""
        return [self.streams.named(name) for name in book.streams]

    def source(self, stream: str, name: str) -> Source:
        """Return a source of a stream; raise ``UsageError`` with the names that there are."""
        return self.streams.named(stream).source(name)

    def under(self, settings: Settings) -> "Deployment":
        """Return the same streams under other settings: those of a past world, of demo actors."""
        return replace(self, settings=settings)

    def only(self, *names: str) -> "Deployment":
        """Return the deployment with some of its streams alone; raise ``UsageError`` with the names that there are."""
        return replace(self, streams=self.streams.only(*names), whole=self.whole or self.streams.names)

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by its qualified name, raw tables included.

        Raises:
            ValueError: two streams use one name: for a table, a slice of what was landed, a dataset that people ask for; each is
                found by name alone.
        """
        found: dict[str, Table] = {}
        slices: dict[str, str] = {}
        datasets: dict[str, str] = {}
        for stream in self.streams:
            made = (rule.table for rule in (*stream.rules, *stream.whole))
            for table in [*(raw_table(source) for source in stream.sources), *made]:
                if table.qualified in found:
                    raise ValueError(f"{stream.name} and {found[table.qualified].stream} both have a table {table.qualified}")
                found[table.qualified] = table
            for name in (each for source in stream.sources for each in source.slices):
                if slices.setdefault(name, stream.name) != stream.name:
                    raise ValueError(f"{stream.name} and {slices[name]} both have a slice {name}")
            for name in (table.name for table in stream.datasets):
                if datasets.setdefault(name, stream.name) != stream.name:
                    raise ValueError(f"{stream.name} and {datasets[name]} both have a dataset {name}")
        return found
