"""Books: which there are by settings and streams, what is refused, and what a book has set for itself."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from revenue_integrity.errors import SettingsError
from revenue_integrity.model.book import Book, books_of
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.settings import Settings
from revenue_integrity_tests.support import SHIPPED

STREAMS = ("boats", "huts", "bikes")


def settings(books: Any = None, **values: Any) -> Settings:
    """Return the settings of a home with some books."""
    return Settings(home=Path("/nowhere"), books=books or {}, **values)


def test_a_stream_that_no_book_names_is_a_book_of_its_own_name() -> None:
    assert books_of(settings(), STREAMS) == tuple(Book(name, (name,)) for name in STREAMS)
    given = settings({"summer": {"streams": ["bikes", "boats"], "first_month": "2025-02"}})
    # In the order in which people see the streams.
    assert books_of(given, STREAMS) == (Book("summer", ("boats", "bikes"), date(2025, 2, 1)), Book("huts", ("huts",)))


@pytest.mark.parametrize(
    ("books", "told"),
    [
        ({"summer": {"streams": []}}, "the book summer has no stream"),
        ({"summer": {"streams": ["rafts"]}}, "the book summer names the stream 'rafts', which there is not"),
        ({"a": {"streams": ["boats"]}, "b": {"streams": ["boats"]}}, "the stream boats stands in two books, a and b"),
        ({"a": {"streams": ["boats", "boats"]}}, "the book a names boats twice"),
        ({"huts": {"streams": ["boats"]}}, "the book huts is called like a stream that it lacks"),
    ],
)
def test_a_book_that_does_not_fit_the_streams_is_refused(books: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=r"^setting books: ") as refused:
        books_of(settings(books), STREAMS)
    assert told in str(refused.value)


def test_a_role_in_a_book_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match="approvers gives a role in the book 'hut', which there is not: hut:ann"):
        books_of(settings(approvers=("hut:ann",)), STREAMS)


def test_what_a_book_does_not_set_is_the_setting_of_that_name() -> None:
    own = {"streams": ["huts"], "cutoff_business_day": 3, "holidays": [], "sequential_close": False, "approvers": ["ann"]}
    home = settings({"h": own}, holidays=(date(2025, 5, 1),), preparers=("pat", "h:hal", "boats:bob"), approvers=("kim",))
    of_huts = home.of_stream("huts")
    assert (of_huts.cutoff_business_day, of_huts.holidays, of_huts.sequential_close) == (3, (), False)
    assert (of_huts.preparers, of_huts.approvers) == (("pat", "hal"), ("ann",))
    assert of_huts.close_timezone == home.close_timezone
    of_boats = home.of_book("boats")
    assert (of_boats.cutoff_business_day, of_boats.holidays) == (5, (date(2025, 5, 1),))
    assert (of_boats.preparers, of_boats.approvers) == (("pat", "bob"), ("kim",))
    plain = settings()
    assert plain.of_stream("huts") is plain


def test_a_part_of_a_deployment_has_the_books_of_the_whole() -> None:
    part = SHIPPED.only("cloud")
    assert part.books == SHIPPED.books
    assert Deployment(SHIPPED.settings, part.streams).books == (Book("cloud", ("cloud",)),)
