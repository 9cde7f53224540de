"""Databases of others: their addresses with the secrets in them, and what is told of their errors.

Belongs here: a URL from where its secret stands, and sentences that hold no secret. Does not belong here: what is read from a
database (``landing.pull``), what is brought into one (``serving.deliveries``).
"""

import re
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from revenue_integrity import confidential
from revenue_integrity.errors import UsageError

CONNECT_SECONDS = 15

DRIVERS = {"postgresql": "psycopg", "mssql": "mssqlpython"}
"""The driver of a database whose URL names none."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_LONGEST_REASON = 300


def resolve_url(text: str) -> URL:
    """Return the URL of a database, its secrets filled in.

    ``env:NAME``, ``file:PATH`` and ``command:…`` name the whole URL (``confidential``), and so does the name of a variable alone;
    ``${NAME}`` inside a URL is the value of a variable.

    Raises:
        UsageError: it is no URL, a secret cannot be read, the password stands in the URL, or the database is not supported.
    """
    whole = confidential.REFERENCE.fullmatch(text) is not None or _NAME.fullmatch(text) is not None
    if whole:
        text = confidential.secret_named(text)
    try:
        # Taken apart before the variables are filled in: a password may hold characters that mean something in a URL.
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(
            "the database URL cannot be read", "Write it as postgresql://user:${PASSWORD}@host:5432/database"
        ) from None
    if url.password and not whole and not _VARIABLE.fullmatch(url.password):
        raise UsageError("the database URL holds a password", "Put it into a variable and write ${NAME} in its place")
    filled: dict[str, Any] = {
        part: _VARIABLE.sub(lambda found: confidential.secret_named(f"env:{found[1]}"), value)
        for part, value in (
            ("username", url.username),
            ("password", url.password),
            ("host", url.host),
            ("database", url.database),
        )
        if value
    }
    url = url.set(**filled)
    backend = url.get_backend_name()
    if url.drivername == backend and backend in DRIVERS:
        url = url.set(drivername=f"{backend}+{DRIVERS[backend]}")
    return url


def masked(url: URL) -> str:
    """Return a URL as it may be shown: no password, no query."""
    return url.set(query={}).render_as_string(hide_password=True)


def reason_of(error: SQLAlchemyError, url: URL) -> str:
    """Return what a database said, as one line without a secret."""
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    message = lines[0] if lines else type(cause).__name__
    # libpq tells the reason behind the address, in the same line or the next.
    if message.endswith(":") and len(lines) > 1:
        message = f"{message} {lines[1]}"
    secrets = [url.password or "", *(value for values in url.normalized_query.values() for value in values)]
    for secret in secrets:
        if len(str(secret)) > 2:
            message = message.replace(str(secret), "***")
    return message[:_LONGEST_REASON]
