"""A PostgreSQL server for tests of deliveries, empty for each of them."""

from collections.abc import Iterator

import pytest

from revenue_integrity_tests.postgres import server
from revenue_integrity_tests.serving.deliveries.support import URL, asked


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(autouse=True)
def _empty(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the server, and take away what tests before have left in it."""
    monkeypatch.setenv(URL, postgres_url)
    asked("drop schema if exists gold cascade")
