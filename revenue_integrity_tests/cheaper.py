"""What all homes of the tests do again and again with the same outcome is done once a process.

Belongs here: work of libraries that rests on nothing but its input. Does not belong here: anything of ours, anything that a test
promises; who promises that it comes out the same twice does it anew (fixture ``drawn_anew``).
"""

import functools
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory


def open_databases(patch: pytest.MonkeyPatch) -> None:
    """Let Dagster open and make its databases in less time.

    They do not wait until the disk has what they wrote: no test pulls the plug of the machine. The scripts that say which tables
    a database has are those of the release that is installed, and are read once instead of three times for each home.
    """
    sa.event.listen(sa.Engine, "connect", _wait_for_no_disk)
    patch.setattr(ScriptDirectory, "from_config", functools.cache(ScriptDirectory.from_config))


def _wait_for_no_disk(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        # A session that may only read has nothing to wait for, and may not be told so.
        with suppress(sqlite3.DatabaseError):
            connection.execute("pragma synchronous = off")


def drawn_once(draw: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a way of drawing charts that draws equal ones once."""

    @functools.lru_cache(maxsize=256)
    def _drawn(spec: str) -> str:
        return draw(json.loads(spec))

    def drawing(spec: Any) -> str:
        return _drawn(json.dumps(spec))

    return drawing
