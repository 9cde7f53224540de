"""Two colleagues of one group work in one home, and a third outside it reads and writes nothing: with real accounts."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from revenue_integrity_tests import people

SETTINGS = {"first_month": "2025-01", "last_month": "2025-01", "threads": "1", "preparers": '["pat"]', "approvers": '["ann"]'}

SMALL = ("--months", "2025-01", "--stream", "bookings", "--deals", "6")


@pytest.fixture(scope="module")
def who() -> Iterator[Mapping[str, str]]:
    with people.accounts("close", ["ann", "bob"], ["eve"]) as names:
        yield names


@pytest.fixture(scope="module")
def shared(who: Mapping[str, str]) -> Iterator[Path]:
    """Return a home that ann filled and computed with umask 002, in a folder of the group."""
    with people.common_ground() as ground:
        ground.chmod(0o755)
        home = ground / "home"
        for command in (("simulate", *SMALL), ("run",)):
            if not home.exists():
                home.mkdir(mode=0o770)
                home.chmod(0o770)
                os.chown(home, people.pwd.getpwnam(who["ann"]).pw_uid, people.pwd.getpwnam(who["ann"]).pw_gid)
            done = people.commands(who["ann"], home, *command, umask=0o002, **SETTINGS)
            assert done.returncode == 0, done.stderr
        yield home


def modes(home: Path) -> dict[str, int]:
    """Return the modes of everything in a home."""
    found = {".": home.stat().st_mode}
    for path in home.rglob("*"):
        found[str(path.relative_to(home))] = path.lstat().st_mode
    return found


@pytest.mark.parametrize("command", [("status",), ("verify",), ("doctor",), ("pack", "2025-01")])
def test_what_one_made_a_colleague_reads_and_goes_on_with(shared: Path, who: Mapping[str, str], command: tuple[str, ...]) -> None:
    done = people.commands(who["bob"], shared, *command, umask=0o002, **SETTINGS)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr + done.stdout


def test_colleagues_compute_waive_prepare_and_approve_one_month_together(shared: Path, who: Mapping[str, str]) -> None:
    book = ("--book", "bookings")
    steps = (
        ("bob", ("run", "--all")),
        ("bob", ("waive", "2025-01", "recognition_is_within_materiality", "--as", "ann", "--reason", "a small home", *book)),
        ("ann", ("prepare", "2025-01", "--as", "pat", *book)),
        ("bob", ("approve", "2025-01", "--as", "ann", *book)),
        ("ann", ("verify",)),
    )
    for name, step in steps:
        done = people.commands(who[name], shared, *step, umask=0o002, **SETTINGS)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (step, done.stderr)


@pytest.mark.parametrize("command", [("status",), ("verify",), ("run",), ("export", "batches"), ("doctor",), ("backup", "x.tar")])
def test_somebody_outside_the_group_gets_a_sentence_and_no_byte(
    shared: Path, who: Mapping[str, str], command: tuple[str, ...]
) -> None:
    before = modes(shared)
    done = people.commands(who["eve"], shared, *command, umask=0o002, **SETTINGS)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "bookings" not in done.stdout
    assert done.stderr.strip() or done.stdout.strip()
    assert modes(shared) == before
    reading = "import os, sys; print(sum(len(files) for _, _, files in os.walk(sys.argv[1])))"
    assert people.runs(who["eve"], reading, str(shared), variables={}).stdout.strip() == "0"


def test_nothing_in_a_home_is_for_everybody_and_the_group_writes_where_the_umask_says_so(shared: Path) -> None:
    found = modes(shared)
    assert not [name for name, mode in found.items() if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & stat.S_IRWXO]
    frozen = ("/_signed/", "ui.json")
    narrow = [
        name
        for name, mode in found.items()
        if not stat.S_IMODE(mode) & stat.S_IWGRP and not any(part in f"/{name}" for part in frozen)
    ]
    assert narrow == []


def test_with_the_usual_umask_the_group_reads_and_does_not_write(who: Mapping[str, str]) -> None:
    with people.common_ground() as ground:
        ground.chmod(0o777)
        home = ground / "home"
        done = people.commands(who["ann"], home, "simulate", *SMALL, umask=0o022, **SETTINGS)
        assert done.returncode == 0, done.stderr
        done = people.commands(who["ann"], home, "run", umask=0o022, **SETTINGS)
        assert done.returncode == 0, done.stderr
        archive = ground / "home.tar"
        assert people.commands(who["ann"], home, "backup", str(archive), umask=0o022, **SETTINGS).returncode == 0
        found = modes(home)
        assert {stat.S_IMODE(mode) for mode in found.values() if stat.S_ISDIR(mode)} == {0o750}
        files = {name: stat.S_IMODE(mode) for name, mode in found.items() if stat.S_ISREG(mode)}
        assert {name: mode for name, mode in files.items() if mode not in (0o640, 0o440)} == {}
        assert stat.S_IMODE(archive.stat().st_mode) == 0o640
        read = people.commands(who["bob"], home, "status", **SETTINGS)
        assert (read.returncode, "Traceback" in read.stderr) == (0, False), read.stderr
        wrote = people.commands(who["bob"], home, "run", **SETTINGS)
        assert wrote.returncode == 1
        assert "cannot be written" in wrote.stderr
