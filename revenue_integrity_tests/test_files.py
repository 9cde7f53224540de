"""What is made appears whole or not at all, in the modes that the user asked for; what a killed process left does not stay."""

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from revenue_integrity import files
from revenue_integrity.files import Durable, made, remove_leftovers, unfinished, write_if_changed, write_whole


class NoRoomError(OSError):
    """The disk is full, in this test."""


def names(folder: Path) -> list[str]:
    """Return what stands in a folder, hidden or not, in order."""
    return sorted(each.name for each in folder.iterdir())


def test_a_file_appears_when_it_is_done(tmp_path: Path) -> None:
    target = tmp_path / "deeper" / "rows.parquet"
    with made(target) as new:
        new.write_text("half")
        assert not target.exists()
        assert not list(tmp_path.rglob("*.parquet")), "who looks for data by their ending finds nothing unfinished"
    assert target.read_text() == "half"
    assert names(target.parent) == ["rows.parquet"]


@pytest.mark.parametrize("durable", Durable)
def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, durable: Durable) -> None:
    target = tmp_path / "file"
    write_whole(target, "old")
    with pytest.raises(FileNotFoundError), made(target, durable=durable) as new:
        new.with_name("what was written").write_text("new")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["sync", "replace"])
def test_a_disk_that_refuses_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def refuses(*_: object) -> None:
        raise NoRoomError

    target = tmp_path / "file"
    write_whole(target, "old")
    monkeypatch.setattr(*((files, "sync") if step == "sync" else (Path, "replace")), refuses)
    with pytest.raises(NoRoomError):
        write_whole(target, "new")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with made(tmp_path / "pack") as new:
            new.mkdir()
            (new / f"{content}.csv").write_text(content)
    assert names(tmp_path) == ["pack"]
    assert names(tmp_path / "pack") == ["new.csv"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fails_for_the_new_one(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise NoRoomError
        return rename(self, target)

    with made(tmp_path / "pack") as new:
        new.mkdir()
        (new / "old.csv").write_text("old")
    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(NoRoomError), made(tmp_path / "pack") as new:
        new.mkdir()
    assert names(tmp_path) == ["pack"]
    assert (tmp_path / "pack" / "old.csv").read_text() == "old"


def test_it_is_made_where_nobody_counts_files(tmp_path: Path) -> None:
    target = tmp_path / "v1" / "manifest.json"
    with made(target, within=tmp_path) as new:
        new.write_text("")
        assert names(tmp_path / "v1") == []
    assert names(tmp_path / "v1") == ["manifest.json"]


def test_equal_text_is_not_written_again(tmp_path: Path) -> None:
    assert write_if_changed(tmp_path / "file", "ä\n")
    before = (tmp_path / "file").stat()
    assert not write_if_changed(tmp_path / "file", "ä\n")
    assert (tmp_path / "file").stat().st_ino == before.st_ino
    assert write_if_changed(tmp_path / "file", "b")
    assert (tmp_path / "file").read_text() == "b"


def wait_in_the_middle(folder: Path, ready: Event) -> None:
    """Begin a file and never come to its end."""
    with made(folder / "file") as new:
        new.write_text("half")
        ready.set()
        signal.pause()


def test_what_a_killed_process_left_goes_and_what_one_is_at_work_on_stays(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    at_work = []
    for _ in range(2):
        ready = context.Event()
        process = context.Process(target=wait_in_the_middle, args=(tmp_path, ready), daemon=True)
        process.start()
        assert ready.wait(60)
        at_work.append(process)
    killed, working = at_work
    both = names(tmp_path)
    assert len(both) == 2
    assert remove_leftovers(tmp_path) == []
    killed.kill()
    killed.join()
    assert names(tmp_path) == both, "it is there until somebody comes"
    write_whole(tmp_path / "another", "")
    left = names(tmp_path)
    assert len(left) == 2
    assert "another" in left
    assert set(left) - {"another"} < set(both)
    working.kill()
    working.join()
    with unfinished(tmp_path, "anything"):
        pass
    assert names(tmp_path) == ["another"]


def test_leftovers_of_the_earlier_release_go_and_other_peoples_files_stay(tmp_path: Path) -> None:
    for name in (".k3_x9abc.new", ".2025-06.q1w2e3r4.new", ".report.new", "notes.abcd1234.new", ".bashrc"):
        (tmp_path / name).write_text("")
    write_whole(tmp_path / "file", "")
    assert names(tmp_path) == [".bashrc", ".report.new", "file", "notes.abcd1234.new"]


@pytest.mark.parametrize(
    ("umask", "file_mode", "folder_mode"),
    [(0o027, 0o640, 0o750), (0o007, 0o660, 0o770), (0o077, 0o600, 0o700)],
    ids=["readable by the group", "writable by the group", "of one user"],
)
def test_modes_are_those_that_the_user_asks_for(tmp_path: Path, umask: int, file_mode: int, folder_mode: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "deeper" / "file", "")
        with made(tmp_path / "folder") as new:
            new.mkdir()
    finally:
        os.umask(before)
    found = [(tmp_path / name).stat().st_mode & 0o777 for name in ("deeper/file", "deeper", "folder")]
    assert found == [file_mode, folder_mode, folder_mode]
