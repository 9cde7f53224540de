"""A store that has read its world, made once and copied: reading those three batches costs more than most tests do after it.

Does not belong here: stores that have read nothing yet; tests of how a world is read make their own (``support.Store``).
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from revenue_integrity_tests.landing.support import Store, put_world


@pytest.fixture(scope="session")
def world_read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose landing zone holds a world, and the store ``store.duckdb`` that has read it. Take ``store``."""
    home = tmp_path_factory.mktemp("world")
    put_world(home / "landing")
    store = Store(home / "landing", connection=duckdb.connect(home / "store.duckdb"))
    assert len(store.ingest().loaded) == 3
    store.connection.close()
    return home


@pytest.fixture
def store(world_read: Path, tmp_path: Path) -> Iterator[Store]:
    """Return a store of one's own, in memory, that has read a world."""
    # Times are copied too, so that no batch looks new.
    shutil.copytree(world_read / "landing", tmp_path / "landing")
    store = Store(tmp_path / "landing")
    store.connection.execute(f"attach '{world_read / 'store.duckdb'}' as world (read_only)")
    store.connection.execute("copy from database world to memory")
    store.connection.execute("detach world")
    yield store
    store.connection.close()
