"""Locks between processes: alone or shared, and gone with the process that held them."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from revenue_integrity import locks


def hold(place: Path, shared: bool, ready: Event) -> None:
    """Hold a lock until somebody ends this process."""
    with locks.held(place, shared=shared) as held:
        assert held
        ready.set()
        signal.pause()


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest) -> Callable[[Path, bool], Callable[[], None]]:
    """Have another process hold a lock; return what kills it."""

    def begin(place: Path, shared: bool) -> Callable[[], None]:
        context = multiprocessing.get_context("spawn")
        ready = context.Event()
        process = context.Process(target=hold, args=(place, shared, ready), daemon=True)
        process.start()

        def kill() -> None:
            process.kill()
            process.join()

        request.addfinalizer(kill)
        assert ready.wait(60)
        return kill

    return begin


def is_free(place: Path, *, shared: bool = False) -> bool:
    """Return whether a lock can be had at once."""
    with locks.held(place, shared=shared, wait_seconds=0) as held:
        return held


def test_a_lock_held_alone_keeps_everybody_out_and_ends_with_its_process(
    tmp_path: Path, elsewhere: Callable[[Path, bool], Callable[[], None]]
) -> None:
    kill = elsewhere(tmp_path / "lock", False)
    assert not is_free(tmp_path / "lock")
    assert not is_free(tmp_path / "lock", shared=True)
    kill()
    assert is_free(tmp_path / "lock")


def test_a_shared_lock_keeps_out_who_wants_it_alone(
    tmp_path: Path, elsewhere: Callable[[Path, bool], Callable[[], None]]
) -> None:
    kill = elsewhere(tmp_path, True)
    assert is_free(tmp_path, shared=True), "a directory can be held, too"
    assert not is_free(tmp_path)
    kill()
    assert is_free(tmp_path)


def test_handles_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    with locks.held(tmp_path / "lock"):
        assert not is_free(tmp_path / "lock")
    assert is_free(tmp_path / "lock")


def test_nothing_is_made_where_nothing_shall_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locks.held(tmp_path / "lock", make=False):
        pass
    assert list(tmp_path.iterdir()) == []
