"""Frozen versions: whole or not there, never replaced, every change named."""

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from revenue_integrity.close.freeze import (
    freeze,
    frozen_path,
    frozen_versions,
    missing_freezes,
    read_frozen,
    read_manifest,
    verify_frozen,
)
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.errors import IntegrityError, LedgerError, PublishError
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import load_settings

MARCH = date(2025, 3, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", lock_timeout_seconds=20)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {name: published(tmp_path / f"{name}.parquet", cents) for name, cents in (("charges", 100), ("margin", -7))}


def published(file: Path, cents: int) -> Path:
    usd = pa.array([Decimal(cents) / 100], type=pa.decimal128(18, 2))
    pq.write_table(pa.table({"cents": pa.array([cents], type=pa.int64()), "usd": usd}), file)
    return file


def approve(settings: Settings, content_hash: str = "c" * 64, version: int = 1) -> Entry:
    with Ledger(settings).locked() as ledger:
        return ledger.append(
            month=MARCH, version=version, action=Action.APPROVE, actor="Bo", content_hash=content_hash, as_of="", batches=[],
            settings_hash="", code_version="", checks=[],
        )  # fmt: skip


def facts_of(entry: Entry) -> dict[str, Any]:
    return {"content_hash": entry.content_hash, "ledger_seq": entry.seq, "ledger_hash": entry.hash}


def test_frozen_version_holds_the_bytes_and_their_sums(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    place = freeze(settings, files, MARCH, 1, facts_of(entry))
    assert place == settings.home / "published" / "_signed" / "2025-03" / "v1"
    manifest = json.loads((place / "manifest.json").read_bytes())
    for name, source in files.items():
        assert (place / f"{name}.parquet").read_bytes() == source.read_bytes()
        assert manifest["files"][f"{name}.parquet"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert manifest["facts"] == {"content_hash": "c" * 64, "ledger_seq": 1, "ledger_hash": entry.hash}
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o444}
    assert verify_frozen(settings) == []
    assert frozen_versions(settings, MARCH) == [1]
    assert read_manifest(settings, MARCH, 1) == manifest


def test_rows_are_read_back_exactly(settings: Settings, files: dict[str, Path]) -> None:
    freeze(settings, files, MARCH, 1, facts_of(approve(settings)))
    published(files["margin"], 5)
    frame = read_frozen(settings, MARCH, 1, "margin")
    assert frame.to_dict("records") == [{"cents": -7, "usd": Decimal("-0.07")}]
    with pytest.raises(PublishError, match="other"):
        read_frozen(settings, MARCH, 1, "other")
    with pytest.raises(PublishError, match="no signed version 2"):
        read_frozen(settings, MARCH, 2, "margin")


def test_repeated_for_the_same_entry_it_is_left(settings: Settings, files: dict[str, Path]) -> None:
    facts = facts_of(approve(settings))
    place = freeze(settings, files, MARCH, 1, facts)
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in place.iterdir()}
    assert freeze(settings, files, MARCH, 1, facts) == place
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in place.iterdir()} == before


@pytest.mark.parametrize("change", ["content_hash", "ledger_hash", "datasets"])
def test_other_content_never_replaces_it(settings: Settings, files: dict[str, Path], change: str) -> None:
    facts = facts_of(approve(settings))
    place = freeze(settings, files, MARCH, 1, facts)
    wanted = dict(list(files.items())[:1]) if change == "datasets" else files
    with pytest.raises(IntegrityError, match=change) as refused:
        freeze(settings, wanted, MARCH, 1, facts if change == "datasets" else facts | {change: "0" * 64})
    assert str(place) in str(refused.value)
    assert verify_frozen(settings) == []


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [flip_a_byte, Path.unlink])
def test_changed_or_deleted_file_is_named(settings: Settings, files: dict[str, Path], damage: Callable[[Path], None]) -> None:
    facts = facts_of(approve(settings))
    place = freeze(settings, files, MARCH, 1, facts)
    damage(place / "charges.parquet")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "charges.parquet")]
    with pytest.raises(IntegrityError, match=r"charges\.parquet"):
        read_frozen(settings, MARCH, 1, "charges")
    with pytest.raises(IntegrityError, match=r"charges\.parquet"):
        freeze(settings, files, MARCH, 1, facts)


def test_added_file_is_named(settings: Settings, files: dict[str, Path]) -> None:
    place = freeze(settings, files, MARCH, 1, facts_of(approve(settings)))
    (place / "extra.parquet").write_bytes(b"x")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "extra.parquet")]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"facts": {}, "files": {"a": 1}}'])
def test_damaged_manifest_is_named(settings: Settings, files: dict[str, Path], text: str) -> None:
    place = freeze(settings, files, MARCH, 1, facts_of(approve(settings)))
    (place / "manifest.json").chmod(0o644)
    (place / "manifest.json").write_text(text)
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "manifest.json")]
    with pytest.raises(IntegrityError, match="no manifest"):
        read_frozen(settings, MARCH, 1, "charges")


def test_version_must_agree_with_its_approval(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    freeze(settings, files, MARCH, 1, facts_of(entry) | {"content_hash": "0" * 64})
    freeze(settings, files, MARCH, 2, facts_of(entry))
    found = [(Path(finding.subject).parent.name, finding.problem) for finding in verify_frozen(settings)]
    assert found == [("v1", "content_hash differ from ledger entry 1"), ("v2", "the ledger has no approval of this version")]


def test_versions_are_listed_by_number(settings: Settings, files: dict[str, Path]) -> None:
    for version in (10, 2, 1):
        freeze(settings, files, MARCH, version, facts_of(approve(settings, version=version)))
    assert frozen_versions(settings, MARCH) == [1, 2, 10]
    assert verify_frozen(settings) == []


def test_missing_source_leaves_nothing(settings: Settings, files: dict[str, Path], tmp_path: Path) -> None:
    gone = tmp_path / "gone.parquet"
    with pytest.raises(LedgerError, match=r"gone\.parquet"):
        freeze(settings, files | {"zone": gone}, MARCH, 1, facts_of(approve(settings)))
    assert list(frozen_path(settings, MARCH, 1).parent.iterdir()) == []


def _die_before_rename(settings: Settings, files: dict[str, Path], facts: dict[str, Any]) -> None:
    Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment,method-assign]  # the crash to test
    freeze(settings, files, MARCH, 1, facts)


def test_killed_between_copy_and_rename_nothing_is_visible_and_it_is_repaired(settings: Settings, files: dict[str, Path]) -> None:
    entry = approve(settings)
    process = multiprocessing.get_context("spawn").Process(target=_die_before_rename, args=(settings, files, facts_of(entry)))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (leftover,) = frozen_path(settings, MARCH, 1).parent.iterdir()
    assert leftover.name.startswith(".")
    assert frozen_versions(settings, MARCH) == []
    assert verify_frozen(settings) == []
    assert missing_freezes(settings, Ledger(settings).entries()) == [entry]
    place = freeze(settings, files, MARCH, entry.version, facts_of(entry))
    assert list(place.parent.iterdir()) == [place]
    assert missing_freezes(settings, Ledger(settings).entries()) == []
    assert verify_frozen(settings) == []


def test_broken_ledger_does_not_hide_a_changed_file(settings: Settings, files: dict[str, Path]) -> None:
    place = freeze(settings, files, MARCH, 1, facts_of(approve(settings)))
    Ledger(settings).file.write_bytes(b"x\n")
    flip_a_byte(place / "margin.parquet")
    assert [finding.subject for finding in verify_frozen(settings)] == [str(place / "margin.parquet")]
