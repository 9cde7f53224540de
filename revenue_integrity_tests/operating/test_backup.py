"""A home comes back from its archive byte for byte, and a changed archive does not come back at all."""

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from revenue_integrity.errors import RevenueIntegrityError, UsageError, WarehouseError
from revenue_integrity.operating.backup import BackupError, backup, restore
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database
from revenue_integrity_tests.processes import Program


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Make a home with a bit of everything."""
    settings = Settings(home=tmp_path / "home")
    with database.connect(settings) as connection:
        connection.execute("create table readings as select range as id from range(100000)")
    files = {
        "landing/colocation/sites/20250101T000000Z/sites.csv": "site_id\nS-1\n",
        "landing/colocation/sites/.landing-x/half.csv": "never to be seen",
        "published/site_month/month=2025-03/data.parquet": "PAR1",
        "ledger/ledger.jsonl": "",
        "catalog/tables.json": "{}",
        "pulls/colocation-sites.json": "{}",
        "logs/run.log": "line\n",
        "tmp/spilled": "x" * 1000,
        "as_of/20250101T000000Z/warehouse.duckdb": "scratch",
        "demo": "yes",
    }
    for name, text in files.items():
        path = settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    os.utime(settings.home / "landing/colocation/sites/20250101T000000Z/sites.csv", ns=(1, 1_735_689_600_123_456_789))
    with dagster_database(settings) as connection:
        connection.execute("create table runs (id integer primary key, note text)")
        connection.execute("insert into runs values (1, 'first')")
    return settings


@contextmanager
def dagster_database(settings: Settings) -> Iterator[sqlite3.Connection]:
    path = settings.dagster_path / "history" / "runs.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    try:
        yield connection
    finally:
        connection.close()


def contents(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def other_home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "restored")


def rewritten(archive: Path, to: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a copy of an archive with some members changed."""
    with tarfile.open(archive) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]  # all are files
    change(members)
    with tarfile.open(to, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return to


def test_a_home_comes_back_byte_for_byte_without_what_can_be_made_again(tmp_path: Path, settings: Settings) -> None:
    made = backup(settings, tmp_path / "home.tar")
    back = restore(tmp_path / "home.tar", other_home(tmp_path))
    assert (back.files, back.size, back.made_at) == (made.files, made.size, made.made_at)
    restored = contents(back.path)
    expected = contents(settings.home)
    left_out = {
        name for name in expected if name.startswith(("tmp/", "as_of/")) or "/." in name or name.endswith(("-wal", "-shm"))
    }
    assert set(restored) == set(expected) - left_out
    assert "landing/colocation/sites/.landing-x/half.csv" in left_out
    same = set(restored) - {"dagster/history/runs.db"}
    assert {name: restored[name] for name in same} == {name: expected[name] for name in same}
    with duckdb.connect(back.path / "warehouse.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*), sum(id) from readings").fetchall() == [(100_000, 4_999_950_000)]
    # Batches that look untouched are not read again: their times come back to the nanosecond.
    batch = back.path / "landing/colocation/sites/20250101T000000Z/sites.csv"
    assert batch.stat().st_mtime_ns == 1_735_689_600_123_456_789


def test_a_home_comes_back_on_the_oldest_python_that_is_promised(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before 3.11.4, as in Debian 12, nothing that unpacks an archive knows `filter`, without which none of it is safe.
    def unknown(*_: object, **options: object) -> None:
        raise TypeError(f"got an unexpected keyword argument {options!r}")

    for name in ("extract", "extractall"):
        monkeypatch.setattr(tarfile.TarFile, name, unknown)
    monkeypatch.setattr(shutil, "unpack_archive", unknown)
    made = backup(settings, tmp_path / "home.tar")
    back = restore(tmp_path / "home.tar", other_home(tmp_path))
    assert (back.files, back.size) == (made.files, made.size)


def test_what_is_unpacked_has_the_modes_that_the_user_asks_for_whatever_it_had(tmp_path: Path, settings: Settings) -> None:
    (settings.home / "demo").chmod(0o407)
    (settings.home / "logs" / "run.log").chmod(0o666)
    before = os.umask(0o027)
    try:
        backup(settings, tmp_path / "home.tar")
        back = restore(tmp_path / "home.tar", other_home(tmp_path)).path
    finally:
        os.umask(before)
    assert [(back / name).stat().st_mode & 0o777 for name in ("demo", "logs/run.log", "logs", ".")] == [
        0o640,
        0o640,
        0o750,
        0o750,
    ]
    assert (tmp_path / "home.tar").stat().st_mode & 0o777 == 0o640


def test_a_backup_that_was_killed_leaves_nothing_behind_for_the_next(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / ".home.tar.0a1b2c3d.new").mkdir()
    (tmp_path / ".home.tar.0a1b2c3d.new" / "new").write_bytes(b"half an archive")
    backup(settings, tmp_path / "home.tar")
    (tmp_path / ".other.0a1b2c3d.new" / "home").mkdir(parents=True)
    restore(tmp_path / "home.tar", other_home(tmp_path))
    assert not list(tmp_path.glob(".*"))


def test_a_landing_zone_elsewhere_is_backed_up_and_comes_back_where_the_settings_say(tmp_path: Path, settings: Settings) -> None:
    moved = Settings(home=settings.home, landing=tmp_path / "elsewhere")
    (settings.home / "landing").rename(tmp_path / "elsewhere")
    backup(moved, tmp_path / "home.tar")
    restore(tmp_path / "home.tar", Settings(home=tmp_path / "restored", landing=tmp_path / "restored-landing"))
    assert (tmp_path / "restored-landing/colocation/sites/20250101T000000Z/sites.csv").read_text() == "site_id\nS-1\n"
    with pytest.raises(BackupError, match="the archive holds home, landing, these settings have home"):
        restore(tmp_path / "home.tar", Settings(home=tmp_path / "third"))
    assert not (tmp_path / "third").exists()


def test_a_backup_is_consistent_while_others_write(tmp_path: Path, settings: Settings) -> None:
    go_on = threading.Event()
    go_on.set()
    waited = threading.Event()
    with dagster_database(settings) as observer:
        observer.execute("insert into runs values (2, 'in the write-ahead log only')")

        def write_runs() -> None:
            with dagster_database(settings) as connection:
                number = 3
                while go_on.is_set():
                    connection.execute("begin immediate")
                    connection.execute("insert into runs values (?, 'one of two')", [number])
                    connection.execute("insert into runs values (?, 'one of two')", [number + 1])
                    connection.execute("commit")
                    number += 2
                    with (settings.logs_path / "run.log").open("a") as log:
                        log.write("another line\n")
                    waited.wait(0.001)

        writers = [threading.Thread(target=write_runs)]
        for writer in writers:
            writer.start()
        try:
            for number in range(5):
                backup(settings, tmp_path / f"{number}.tar")
        finally:
            go_on.clear()
            for writer in writers:
                writer.join()
    for number in range(5):
        restored = restore(tmp_path / f"{number}.tar", Settings(home=tmp_path / f"restored-{number}")).path
        with sqlite3.connect(restored / "dagster/history/runs.db") as connection:
            assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
            notes = dict(connection.execute("select note, count(*) from runs group by note").fetchall())
        assert notes["in the write-ahead log only"] == 1
        assert notes.get("one of two", 0) % 2 == 0


def test_a_writer_of_the_warehouse_is_waited_for(tmp_path: Path, settings: Settings) -> None:
    program = (
        "import duckdb, sys, time\n"
        f"connection = duckdb.connect({str(settings.warehouse_path)!r})\n"
        "connection.execute('begin'); connection.execute('delete from readings where id % 2 = 0')\n"
        "print('writing', flush=True); time.sleep(1)\n"
        "connection.execute('commit'); connection.close()\n"
    )
    with Program(program) as writer:
        assert writer.stdout.readline() == "writing\n"
        backup(settings, tmp_path / "home.tar")
    back = restore(tmp_path / "home.tar", other_home(tmp_path)).path
    with duckdb.connect(back / "warehouse.duckdb", read_only=True) as connection:
        # All of the writer's step or nothing; since it was waited for, all.
        assert connection.execute("select count(*) from readings").fetchall() == [(50_000,)]


def change_catalog(members: dict[str, bytes]) -> None:
    members["home/catalog/tables.json"] = b"{ }"


def change_manifest_too(members: dict[str, bytes]) -> None:
    members["home/demo"] = b"no!"
    manifest = json.loads(members["manifest.json"])
    manifest["files"]["home/demo"]["size"] = 3
    members["manifest.json"] = json.dumps(manifest).encode()


def take_away(members: dict[str, bytes]) -> None:
    del members["home/demo"]


def add(members: dict[str, bytes]) -> None:
    members["home/landing/colocation/sites/20250102T000000Z/more.csv"] = b"site_id\nS-2\n"


def no_manifest(members: dict[str, bytes]) -> None:
    del members["manifest.json"]


def other_layout(members: dict[str, bytes]) -> None:
    members["manifest.json"] = b'{"format": 99}'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_catalog, "home/catalog/tables.json in the archive does not have the SHA-256"),
        (change_manifest_too, "home/demo in the archive does not have the SHA-256"),
        (take_away, "home/demo is missing in the archive"),
        (add, "more.csv was added to the archive"),
        (no_manifest, "has no manifest: it is unfinished"),
        (other_layout, "a layout that this version does not know"),
    ],
)
def test_a_changed_archive_is_refused_and_nothing_appears(
    tmp_path: Path, settings: Settings, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    backup(settings, tmp_path / "home.tar")
    changed = rewritten(tmp_path / "home.tar", tmp_path / "changed.tar", change)
    with pytest.raises(BackupError, match=reason):
        restore(changed, other_home(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changed.tar", "home", "home.tar"]


def test_a_truncated_archive_is_refused(tmp_path: Path, settings: Settings) -> None:
    backup(settings, tmp_path / "home.tar")
    whole = (tmp_path / "home.tar").read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "short.tar").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(BackupError, match=r"cannot be read|has no manifest"):
            restore(tmp_path / "short.tar", other_home(tmp_path))
    assert not (tmp_path / "restored").exists()


def outside(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = 4
    tar.addfile(entry, io.BytesIO(b"evil"))


def link(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
    tar.addfile(entry)


def twice(tar: tarfile.TarFile, name: str) -> None:
    outside(tar, name)
    outside(tar, name)


@pytest.mark.parametrize(
    ("put", "name"),
    [
        (outside, "../evil"),
        (outside, "home/../../evil"),
        (outside, "/tmp/../evil/x"),
        (outside, "/tmp/evil"),
        (link, "home/landing"),
        (twice, "home/demo"),
    ],
)
def test_an_archive_that_reaches_outside_the_home_or_is_not_plain_is_refused(
    tmp_path: Path, put: Callable[[tarfile.TarFile, str], None], name: str
) -> None:
    nest = tmp_path / "nest"
    nest.mkdir()
    with tarfile.open(nest / "evil.tar", "w") as tar:
        put(tar, name)
    with pytest.raises(BackupError):
        restore(nest / "evil.tar", Settings(home=nest / "restored"))
    assert [path.name for path in tmp_path.iterdir()] == ["nest"]
    assert [path.name for path in nest.iterdir()] == ["evil.tar"]


def test_a_home_that_is_not_empty_is_not_restored_into(tmp_path: Path, settings: Settings) -> None:
    backup(settings, tmp_path / "home.tar")
    before = contents(settings.home)
    with pytest.raises(UsageError, match="is not empty"):
        restore(tmp_path / "home.tar", settings)
    assert contents(settings.home) == before
    (tmp_path / "restored").mkdir()
    assert restore(tmp_path / "home.tar", other_home(tmp_path)).path == tmp_path / "restored"


def test_places_where_no_backup_can_stand_are_refused(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match="stands inside the home"):
        backup(settings, settings.home / "backup.tar")
    with pytest.raises(UsageError, match="there is no directory"):
        backup(settings, tmp_path / "none" / "home.tar")
    (tmp_path / "home.tar").write_text("an older backup")
    with pytest.raises(UsageError, match="exists already"):
        backup(settings, tmp_path / "home.tar")
    with pytest.raises(BackupError, match="is empty"):
        backup(Settings(home=tmp_path / "no-home"), tmp_path / "new.tar")
    with pytest.raises(UsageError, match="there is no archive"):
        restore(tmp_path / "none.tar", other_home(tmp_path))
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(RevenueIntegrityError, match="cannot be read"):
        restore(tmp_path / "text.tar", other_home(tmp_path))


def test_a_backup_that_cannot_be_finished_leaves_nothing(tmp_path: Path, settings: Settings) -> None:
    settings.warehouse_path.write_bytes(b"no warehouse" * 1000)
    with pytest.raises(WarehouseError, match="is no readable warehouse"):
        backup(settings, tmp_path / "home.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


KNOWN = ("format", "made_at", "places", "files", "home", "landing", "home/demo", "size", "sha256", "modified_ns", "0" * 64)
EVIL = ("../evil", "/etc/evil", "home/../evil", "home//demo", "home/./demo", "elsewhere/demo", "home/a\0b", "2026-01-01T00:00:00")
WORDS = st.sampled_from([*KNOWN, *EVIL])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**30) | st.floats(allow_nan=True) | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
LYING = st.fixed_dictionaries(
    {"format": st.just(1) | VALUES, "made_at": st.just("2026-01-01T00:00:00+00:00") | VALUES},
    optional={
        "places": st.just(["home"]) | VALUES,
        "files": st.dictionaries(
            WORDS,
            st.fixed_dictionaries({"size": st.just(4) | VALUES, "sha256": WORDS, "modified_ns": st.just(1) | VALUES}) | VALUES,
            max_size=3,
        ),
        "more": VALUES,
    },
)


@given(manifest=LYING | VALUES, names=st.lists(WORDS, max_size=3))
@settings_of_hypothesis(max_examples=150)
def test_whatever_a_manifest_says_nothing_is_written_unless_all_of_it_is_true(manifest: object, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "lying.tar"
        with tarfile.open(archive, "w") as tar:
            for name in names:
                outside(tar, name.replace("\0", ""))
            text = json.dumps(manifest).encode()
            entry = tarfile.TarInfo("manifest.json")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        before = {path.as_posix() for path in Path(folder).rglob("*")}
        try:
            restored = restore(archive, Settings(home=Path(folder) / "nest" / "home"))
        except RevenueIntegrityError:
            assert {path.as_posix() for path in Path(folder).rglob("*")} == before
        else:
            assert restored.files == len(names) == 0
