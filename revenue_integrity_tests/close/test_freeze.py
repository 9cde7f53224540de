"""Frozen versions: whole or not there, never replaced, every change named."""

import hashlib
import json
import os
import signal
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity.close.freeze import (
    finish,
    frozen_path,
    is_frozen,
    is_staged,
    keep_pack,
    missing_freezes,
    missing_packs,
    place_of,
    read_frozen,
    read_manifest,
    stage,
    unstage,
    verify_frozen,
)
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.errors import IntegrityError, LedgerError, PublishError
from revenue_integrity.settings import Settings
from revenue_integrity_tests.processes import CONTEXT

MARCH = date(2025, 3, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", lock_timeout_seconds=20)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {name: published(tmp_path / f"{name}.parquet", cents) for name, cents in (("charges", 100), ("margin", -7))}


def published(file: Path, cents: int) -> Path:
    usd = pa.array([Decimal(cents) / 100], type=pa.decimal128(18, 2))
    pq.write_table(pa.table({"cents": pa.array([cents], type=pa.int64()), "usd": usd}), file)
    return file


BOOK = "retail"
CONTENT = {"content_hash": "c" * 64}


def approve(settings: Settings, content_hash: str = "c" * 64, version: int = 1, book: str = BOOK) -> Entry:
    with Ledger(settings).locked() as ledger:
        return ledger.append(
            book=book, month=MARCH, version=version, action=Action.APPROVE, actor="Bo", content_hash=content_hash, as_of="",
            batches=[], settings_hash="", code_version="", checks=[],
        )  # fmt: skip


def freeze(settings: Settings, files: dict[str, Path], entry: Entry) -> Path:
    """Stage the files for a version and finish it, as an approval does."""
    stage(settings, files, entry.book, MARCH, entry.version, {"content_hash": entry.content_hash})
    return finish(settings, entry)


def test_frozen_version_holds_the_bytes_and_their_sums(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    place = freeze(settings, files, entry)
    assert place == settings.home / "published" / "_signed" / "retail" / "2025-03" / "v1"
    manifest = json.loads((place / "manifest.json").read_bytes())
    for name, source in files.items():
        assert (place / f"{name}.parquet").read_bytes() == source.read_bytes()
        assert manifest["files"][f"{name}.parquet"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert manifest["facts"] == {"content_hash": "c" * 64, "ledger_seq": 1, "ledger_hash": entry.hash}
    assert (manifest["book"], manifest["month"], manifest["version"]) == ("retail", "2025-03", 1)
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o440}
    assert verify_frozen(settings) == []
    assert is_frozen(settings, entry)
    assert read_manifest(settings, entry) == manifest


def test_version_from_before_there_were_books_stands_where_it_stood(settings: Settings, files: dict[str, Path]) -> None:
    before = approve(settings, book="")
    place = freeze(settings, files, before)
    assert place == settings.home / "published" / "_signed" / "2025-03" / "v1"
    assert freeze(settings, files, approve(settings)) != place
    assert "book" not in read_manifest(settings, before)
    assert verify_frozen(settings) == []
    flip_a_byte(place / "margin.parquet")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "margin.parquet")]


def test_rows_are_read_back_exactly(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    freeze(settings, files, entry)
    published(files["margin"], 5)
    frame = read_frozen(settings, entry, "margin")
    assert frame.to_dict("records") == [{"cents": -7, "usd": Decimal("-0.07")}]
    with pytest.raises(PublishError, match="other"):
        read_frozen(settings, entry, "other")
    with pytest.raises(PublishError, match="no signed version retail 2025-03 v2"):
        read_frozen(settings, approve(settings, version=2), "margin")


def test_repeated_for_the_same_entry_it_is_left(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    place = freeze(settings, files, entry)
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in place.iterdir()}
    assert finish(settings, entry) == place
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in place.iterdir()} == before


def test_other_content_never_replaces_it(settings: Settings, files: dict[str, Path]) -> None:
    place = freeze(settings, files, approve(settings))
    with pytest.raises(IntegrityError, match="is there already"):
        stage(settings, files, BOOK, MARCH, 1, CONTENT)
    for other, differing in ((approve(settings, "0" * 64), "content_hash"), (approve(settings), "ledger_seq, ledger_hash")):
        with pytest.raises(IntegrityError, match=differing) as refused:
            finish(settings, other)
        assert str(place) in str(refused.value)
    assert [finding.problem for finding in verify_frozen(settings)] == ["ledger_seq, ledger_hash differ from ledger entry 3"]


def test_what_is_staged_is_kept_until_it_is_signed_or_taken_away(settings: Settings, files: dict[str, Path]) -> None:
    stage(settings, files, BOOK, MARCH, 1, CONTENT)
    stage(settings, files, BOOK, MARCH, 1, {"content_hash": "d" * 64})
    entry = approve(settings)
    assert not is_staged(settings, entry), "what was staged for other content is none of its business"
    with pytest.raises(IntegrityError, match="retail 2025-03 v1 was approved and not frozen, and its data are gone"):
        finish(settings, entry)
    unstage(settings, BOOK, MARCH, 1)
    assert list(place_of(settings, entry).parent.iterdir()) == []

    # What is published is replaced between the signature and its freeze: the version holds what was signed.
    held = files["charges"].read_bytes()
    stage(settings, files, BOOK, MARCH, 1, CONTENT)
    published(files["charges"], 5)
    assert is_staged(settings, entry)
    assert (finish(settings, entry) / "charges.parquet").read_bytes() == held
    assert not is_staged(settings, entry)
    assert verify_frozen(settings) == []


PACK = {"page.html": b"<p>", "csv/charges.csv": b"cents"}


def test_pack_is_added_once_and_its_files_are_proven(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    with pytest.raises(PublishError, match="no signed version"):
        keep_pack(settings, entry, PACK)
    place = freeze(settings, files, entry)
    assert missing_packs(settings, [entry]) == [entry]
    pack = keep_pack(settings, entry, PACK)
    assert (pack, missing_packs(settings, [entry])) == (place / "pack", [])
    assert {path.relative_to(pack).as_posix(): path.read_bytes() for path in pack.rglob("*") if path.is_file()} == PACK
    assert verify_frozen(settings) == []
    keep_pack(settings, entry, {"page.html": b"other"})
    assert (pack / "page.html").read_bytes() == b"<p>"
    assert finish(settings, entry) == place

    flip_a_byte(pack / "page.html")
    (pack / "more.csv").write_bytes(b"x")
    assert {finding.subject for finding in verify_frozen(settings)} == {str(pack / "page.html"), str(pack / "more.csv")}


def test_pack_of_another_approval_is_told(settings: Settings, files: dict[str, Path]) -> None:
    first, second = approve(settings), approve(settings, version=2)
    for entry in (first, second):
        freeze(settings, files, entry)
        keep_pack(settings, entry, PACK | {"page.html": entry.hash.encode()})
    for name in ("pack", "pack.json"):
        moved = place_of(settings, second) / name
        moved.rename(moved.with_name("aside"))
        (place_of(settings, first) / name).rename(moved)
        moved.with_name("aside").rename(place_of(settings, first) / name)
    assert {finding.problem for finding in verify_frozen(settings)} == {"it is the pack of another approval"}


def _die_before_the_pack_gets_its_name(settings: Settings, entry: Entry) -> None:
    rename = Path.rename
    Path.rename = lambda self, to: os.kill(os.getpid(), signal.SIGKILL) if Path(to).name == "pack" else rename(self, to)  # type: ignore[assignment,method-assign]  # the crash to test
    keep_pack(settings, entry, PACK)


def test_killed_while_the_pack_is_added_it_is_missing_and_added_later(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    place = freeze(settings, files, entry)
    process = CONTEXT.Process(target=_die_before_the_pack_gets_its_name, args=(settings, entry))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert missing_packs(settings, [entry]) == [entry]
    assert verify_frozen(settings) == []
    keep_pack(settings, entry, PACK)
    assert list(place.parent.iterdir()) == [place]
    assert verify_frozen(settings) == []


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [flip_a_byte, Path.unlink])
def test_changed_or_deleted_file_is_named(settings: Settings, files: dict[str, Path], damage: Callable[[Path], None]) -> None:
    entry = approve(settings)
    place = freeze(settings, files, entry)
    damage(place / "charges.parquet")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "charges.parquet")]
    with pytest.raises(IntegrityError, match=r"charges\.parquet"):
        read_frozen(settings, entry, "charges")
    with pytest.raises(IntegrityError, match=r"charges\.parquet"):
        finish(settings, entry)


def test_added_file_is_named(settings: Settings, files: dict[str, Path]) -> None:
    place = freeze(settings, files, approve(settings))
    (place / "extra.parquet").write_bytes(b"x")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "extra.parquet")]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"facts": {}, "files": {"a": 1}}'])
def test_damaged_manifest_is_named(settings: Settings, files: dict[str, Path], text: str) -> None:
    entry = approve(settings)
    place = freeze(settings, files, entry)
    (place / "manifest.json").chmod(0o644)
    (place / "manifest.json").write_text(text)
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "manifest.json")]
    with pytest.raises(IntegrityError, match="no manifest"):
        read_frozen(settings, entry, "charges")


def test_version_must_agree_with_its_approval(settings: Settings, files: dict[str, Path]) -> None:
    first = approve(settings)
    place = freeze(settings, files, first)
    for version, content in ((2, "0" * 64), (3, "c" * 64)):
        stage(settings, files, BOOK, MARCH, version, {"content_hash": content})
    entry = approve(settings, version=2)
    (staged,) = place.parent.glob(".v2.*")
    staged.rename(place_of(settings, entry))
    (staged,) = place.parent.glob(".v3.*")
    staged.rename(place.with_name("v3"))
    place.rename(place.with_name("v4"))
    found = [(Path(finding.subject).parent.name, finding.problem) for finding in verify_frozen(settings)]
    assert found == [
        ("v2", "content_hash, ledger_seq, ledger_hash differ from ledger entry 2"),
        ("v3", "the ledger has no approval of this version"),
        ("v4", "it says that it is retail 2025-03 v1"),
    ]


def test_versions_of_all_books_are_verified(settings: Settings, files: dict[str, Path]) -> None:
    entries = [approve(settings, version=version, book=book) for book in (BOOK, "", "cloud") for version in (10, 2, 1)]
    places = [freeze(settings, files, entry) for entry in entries]
    assert len(set(places)) == 9
    assert verify_frozen(settings) == []
    for place in places:
        flip_a_byte(place / "margin.parquet")
    assert [Path(finding.subject).parent for finding in verify_frozen(settings)] == [
        *(places[at] for at in (5, 4, 3)),
        *(places[at] for at in (8, 7, 6)),
        *(places[at] for at in (2, 1, 0)),
    ]


def test_missing_source_leaves_nothing(settings: Settings, files: dict[str, Path], tmp_path: Path) -> None:
    gone = tmp_path / "gone.parquet"
    with pytest.raises(LedgerError, match=r"gone\.parquet"):
        stage(settings, files | {"zone": gone}, BOOK, MARCH, 1, CONTENT)
    assert list(frozen_path(settings, BOOK, MARCH, 1).parent.iterdir()) == []


def _die_before_rename(settings: Settings, entry: Entry) -> None:
    Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment,method-assign]  # the crash to test
    finish(settings, entry)


def test_killed_between_copy_and_rename_nothing_is_visible_and_it_is_repaired(settings: Settings, files: dict[str, Path]) -> None:
    stage(settings, files, BOOK, MARCH, 1, CONTENT)
    entry = approve(settings)
    process = CONTEXT.Process(target=_die_before_rename, args=(settings, entry))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (leftover,) = place_of(settings, entry).parent.iterdir()
    assert leftover.name.startswith(".")
    assert not is_frozen(settings, entry)
    assert is_staged(settings, entry)
    assert verify_frozen(settings) == []
    assert missing_freezes(settings, Ledger(settings).entries()) == [entry]
    place = finish(settings, entry)
    assert list(place.parent.iterdir()) == [place]
    assert missing_freezes(settings, Ledger(settings).entries()) == []
    assert verify_frozen(settings) == []


def test_broken_ledger_does_not_hide_a_changed_file(settings: Settings, files: dict[str, Path]) -> None:
    place = freeze(settings, files, approve(settings))
    Ledger(settings).file.write_bytes(b"x\n")
    flip_a_byte(place / "margin.parquet")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "margin.parquet")]
