"""A database is asked, never told: one query that reads, in a session that cannot write where the database has such.

Belongs here: what may be asked, and how a session is kept from writing. Does not belong here: what comes of it (``pull``).

A login that may only read is the surest way and what the runbook asks for; this holds where somebody gave another.
"""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import URL, Connection, Engine

from revenue_integrity.errors import UsageError

_DIALECTS = {"postgresql": "postgres", "mssql": "tsql"}
"""What the library that reads SQL calls a database, where it is not what SQLAlchemy calls it."""

_READING_ALONE = frozenset({"postgresql", "sqlite"})
"""Databases with sessions that cannot write."""

_SQLITE_MAY = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION})

_BEGINS_ANOTHER = re.compile(
    "alter|backup|begin|bulk|checkpoint|commit|create|dbcc|deallocate|declare|delete|deny|drop|exec|execute|grant|insert|kill|merge|"
    "reconfigure|restore|revert|revoke|rollback|save|setuser|shutdown|truncate|update|updatetext|writetext"
)
"""Words of SQL Server that nothing can be named without brackets. There no semicolon is needed between two statements:
``select * from lines exec('…')`` are two, which a reader of other SQL takes for a table under another name."""

_SENT_ELSEWHERE = frozenset({"openquery", "openrowset", "opendatasource"})
"""What hands a text to another server as it stands: nobody here can tell whether that writes."""

WRITES_ARE_NOT_REFUSED = "this database has no session that cannot write: give the pull a login that may only read"


def one_query(text: str, backend: str) -> str:
    """Return a query without the semicolon at its end.

    Raises:
        UsageError: it is empty, or more or something other than one ``select`` or ``with``; or the session could write, and it is
            not certain that the query does not.
    """
    from sqlglot import exp, parse_one, tokenize
    from sqlglot.errors import SqlglotError
    from sqlglot.tokens import TokenType

    dialect = _DIALECTS.get(backend, backend)
    query = text.strip()
    while query.endswith(";"):
        query = query.removesuffix(";").rstrip()
    if not query:
        raise UsageError("the query is empty", "Write one select")
    try:
        tokens = tokenize(query, read=dialect)
        # A comment alone behind the last semicolon is no second query; it makes no token.
        separators = [token for token in tokens[:-1] if token.token_type is TokenType.SEMICOLON]
        if separators or not tokens or tokens[0].token_type not in {TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN}:
            raise UsageError("the query is not one select", "Write one select, or one with that ends in a select")
        if tokens[-1].token_type is TokenType.SEMICOLON:
            query = query[: tokens[-1].start].rstrip()
        if backend in _READING_ALONE:
            return query
        read = parse_one(query, read=dialect)
    except (SqlglotError, ValueError) as error:
        raise UsageError(
            f"the query cannot be read as one select ({' '.join(str(error).split())[:200]})",
            "Write it as plain SQL, or make a view of it and pull that with --table",
        ) from error
    texts = {TokenType.IDENTIFIER, TokenType.STRING, TokenType.NATIONAL_STRING}
    words = {token.text.lower() for token in tokens if token.token_type not in texts}
    writing = read.find(
        exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Create, exp.Drop, exp.Command, exp.NextValueFor
    )
    begins = backend == "mssql" and any(map(_BEGINS_ANOTHER.fullmatch, words))
    if backend == "mssql" and (elsewhere := sorted(words & _SENT_ELSEWHERE)):
        raise UsageError(
            f"the query sends a text to another server ({elsewhere[0]}), which might write there",
            "Make a view of it and pull that with --table",
        )
    if not isinstance(read, exp.Query) or writing is not None or begins:
        raise UsageError("the query does more than read", "Write one select, or one with that ends in a select")
    return query


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return what an engine is made with besides, so that its sessions cannot write where the database knows that."""
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return {"creator": _sqlite_session(Path(url.database))}
    return {}


def as_reader(url: URL) -> URL:
    """Return a URL that asks for a server of readers where the database routes by that."""
    names = {name.lower() for name in url.query}
    if url.get_backend_name() != "mssql" or "applicationintent" in names or "odbc_connect" in names:
        return url
    return url.update_query_dict({"ApplicationIntent": "ReadOnly"})


def reads_alone(engine: Engine) -> bool:
    """Return whether the sessions of an engine cannot write."""
    return engine.dialect.name in _READING_ALONE


def read_only(connection: Connection) -> Connection:
    """Return a connection whose transactions read one snapshot and cannot write, where the database has such."""
    if connection.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return connection


def _sqlite_session(file: Path) -> Callable[[], sqlite3.Connection]:
    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)
        connection.set_authorizer(_sqlite_allows)
        return connection

    return connected


def _sqlite_allows(action: int, first: str | None, second: str | None, _database: str | None, _inside: str | None) -> int:
    """Allow what reads: neither attaching another file nor loading code."""
    calls = action == sqlite3.SQLITE_FUNCTION and second != "load_extension"
    # SQLAlchemy asks for it when it connects.
    asks = action == sqlite3.SQLITE_PRAGMA and (first, second) == ("read_uncommitted", None)
    return sqlite3.SQLITE_OK if calls or asks or action in _SQLITE_MAY else sqlite3.SQLITE_DENY
