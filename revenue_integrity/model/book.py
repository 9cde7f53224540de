"""A book: the streams that are signed together.

Belongs here: which books a home has, by its settings and its streams. Does not belong here: what a book has set for itself
(``settings.Settings.of_book``), how its months stand (``desk``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from revenue_integrity.errors import SettingsError
from revenue_integrity.settings import Settings


@dataclass(frozen=True)
class Book:
    """What is signed together.

    Attributes:
        name: its name; empty for what was signed before there were books, which was about all streams.
        streams: the names of its streams, in the order in which people see them.
        first_month: its first month; ``None`` for the first that rows of its streams name.
    """

    name: str
    streams: tuple[str, ...]
    first_month: date | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or " and ".join(self.streams)


def books_of(settings: Settings, streams: Sequence[str]) -> tuple[Book, ...]:
    """Return the books of a home with some streams, in the order of these; a stream that no book names is one of its own name.

    Raises:
        SettingsError: a book has no stream, an unknown one, or one of another book; it is called like a stream that it lacks;
            or a role is given in a book that there is not.
    """
    owner: dict[str, str] = {}
    for name, declared in settings.books.items():
        _refuse(not declared.streams, f"the book {name} has no stream", "Name its streams, or take the book out")
        for stream in declared.streams:
            known = f"Streams: {', '.join(streams)}"
            _refuse(stream not in streams, f"the book {name} names the stream '{stream}', which there is not", known)
            other = owner.setdefault(stream, name)
            _refuse(other != name, f"the stream {stream} stands in two books, {other} and {name}", "Take it out of one of them")
        twice = sorted({each for each in declared.streams if declared.streams.count(each) > 1})
        _refuse(bool(twice), f"the book {name} names {', '.join(twice)} twice", "Name each stream once")
        lacks = name in streams and name not in declared.streams
        _refuse(lacks, f"the book {name} is called like a stream that it lacks", "Give it another name, or the stream")
    named: dict[str, list[str]] = {}
    for stream in streams:
        named.setdefault(owner.get(stream, stream), []).append(stream)
    first = {name: declared.first_month for name, declared in settings.books.items()}
    books = tuple(Book(name, tuple(found), first.get(name)) for name, found in named.items())
    for setting in ("preparers", "approvers"):
        for role in getattr(settings, setting):
            book, colon, _ = role.partition(":")
            _refuse(
                bool(colon) and book not in named,
                f"{setting} gives a role in the book '{book}', which there is not: {role}",
                f"Write BOOK:NAME with one of the books {', '.join(named)}",
            )
    return books


def _refuse(is_wrong: bool, reason: str, next_step: str) -> None:
    if is_wrong:
        raise SettingsError(
            f"setting books: {reason}" if not reason.startswith(("preparers", "approvers")) else reason, next_step
        )
