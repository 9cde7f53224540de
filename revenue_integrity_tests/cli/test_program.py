"""What the system or a database refuses is a sentence with the next step, and no traceback."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from revenue_integrity.cli import program
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.orchestration import instance
from revenue_integrity_tests.support import home_settings


def outcome(error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a command says whose work raises an error; it ends with 1."""

    def raising(**_: object) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        program.main(["status"], raising)
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "error: /home/x: No space left on device. Make room on the disk, and try again"),
        (errno.EROFS, "error: /home/x: Read-only file system. It is mounted read-only: run this where it can be written"),
        (errno.EACCES, "error: /home/x: Permission denied. Give this user the right to it, or run this as its owner"),
        (errno.ENAMETOOLONG, "error: /home/x: File name too long. Choose a shorter name"),
        (errno.ENOTDIR, "error: /home/x: Not a directory. Something on the way to it is no directory: name another place"),
        (errno.EIO, "error: /home/x: Input/output error. Check the disk and the permissions"),
    ],
)
def test_what_the_system_refuses_is_one_line(number: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(OSError(number, os.strerror(number), "/home/x"), capsys) == f"{words}\n"


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("database or disk is full", "Make room on the disk, and try again"),
        ("attempt to write a readonly database", "Give this user the right to it, or run this as its owner"),
        ("disk I/O error", "See whether the disk has room and is sound, and try again"),
        ("database is locked", "Another program holds it: try again"),
    ],
)
def test_what_a_database_refuses_is_one_line(said: str, step: str, capsys: pytest.CaptureFixture[str]) -> None:
    behind = RuntimeError("a library's own words")
    behind.__cause__ = sqlite3.OperationalError(said)
    assert outcome(behind, capsys) == f"error: {said}. {step}\n"


def test_an_error_of_the_program_stays_one() -> None:
    def raising(**_: object) -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        program.main(["status"], raising)


def test_a_home_that_cannot_be_written_is_read_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home_settings(tmp_path / "home")
    with instance.open_instance(settings):
        pass
    before = {path: path.stat().st_mtime_ns for path in settings.home.rglob("*")}
    monkeypatch.setattr(instance, "is_writable", lambda place: False)
    with instance.open_to_read(settings) as opened:
        assert opened.get_runs() == []
    assert {path: path.stat().st_mtime_ns for path in settings.home.rglob("*")} == before
    with pytest.raises(RevenueIntegrityError, match="the home cannot be written"), instance.open_instance(settings):
        pass
