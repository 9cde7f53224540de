"""Whatever is published, frozen, signed or packed is told where somebody changed it, took it away, or put something beside it.

The home is that of the toy with both months signed, without Dagster.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from revenue_integrity import clock
from revenue_integrity.canonical import sha256_of
from revenue_integrity.desk import packs, verifying
from revenue_integrity.desk.facts import Desk
from revenue_integrity.model.deployment import Deployment
from revenue_integrity_tests.conftest import compute_toy, made_once
from revenue_integrity_tests.desk.test_freezing import copy_of, sign
from revenue_integrity_tests.toy_home import FEBRUARY, JANUARY, NOW, toy_deployment
from revenue_integrity_tests.without_dagster import Judged


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    """Hold the clock after the cutoff of February."""
    with clock.held_at(NOW):
        yield


def sign_toy(place: Path) -> None:
    """Sign both months of the toy, and write their packs."""
    compute_toy(place)
    home = toy_deployment(place)
    with clock.held_at(NOW):
        sign(home, JANUARY, FEBRUARY)
        packs.renew(home, Judged(home), say=lambda _: None)


@pytest.fixture(scope="session")
def signed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which both months of the toy were signed. Nobody may change it: take ``home``."""
    return made_once(tmp_path_factory, "toy_signed", sign_toy)


@pytest.fixture
def home(signed_run: Path, tmp_path: Path) -> Deployment:
    """Return a fresh copy of that home."""
    return copy_of(signed_run, tmp_path / "home")


def told(home: Deployment) -> set[tuple[str, str]]:
    """Return what the verification says, by the place below the home."""
    root = f"{home.settings.home}/"
    return {(finding.subject.removeprefix(root), finding.problem) for finding in verifying.verify(home)}


def rewrite(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a JSON file says, whoever it belongs to and however it is sealed."""
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.chmod(0o640)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


CLOSE = "published/_close/toy/month=2025-01/close.json"
FROZEN = "published/_signed/toy/2025-01/v1"
SIGNED = f"{FROZEN}/manifest.json"
KEPT_PACK = f"{FROZEN}/pack.json"
PACK = "packs/toy/2025-01"
PAGE = "close-pack-2025-01.html"


def test_what_nobody_touched_holds(home: Deployment) -> None:
    assert told(home) == set()


def resealed(content: dict[str, Any], **changed: Any) -> None:
    """Change what ``close.json`` says with the hash that it would then have."""
    content |= changed
    del content["sha256"]
    content["sha256"] = sha256_of(content)


def write(text: str) -> Callable[[Path], object]:
    """Write something else into a file."""
    return lambda file: (file.chmod(0o640), file.write_text(text, encoding="utf-8"))


def append_nul(file: Path) -> None:
    """Append a byte that no text has."""
    file.chmod(0o640)
    with file.open("ab") as stream:
        stream.write(b"\0")


def take_rows(file: Path) -> None:
    """Write a file anew with the same facts and without its last row."""
    rows = pq.read_table(file, partitioning=None)
    pq.write_table(rows.slice(0, rows.num_rows - 1), file)


def link(file: Path) -> None:
    """Put a link to the file in its place."""
    elsewhere = file.parents[len(file.parts) // 2] / f"elsewhere-{file.name}"
    shutil.move(file, elsewhere)
    file.symlink_to(elsewhere)


WAYS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "close.json gone": (CLOSE, Path.unlink, "it is gone"),
    "close.json is none": (CLOSE, write("{"), "it cannot be read"),
    "close.json is empty": (CLOSE, write("{}"), "it names no datasets"),
    "close.json says another as-of": (
        CLOSE, lambda file: rewrite(file, lambda each: each.update(as_of="20260101T000000Z")), "it is not as it was written",
    ),
    "close.json says that something else is signed": (
        CLOSE, lambda file: rewrite(file, lambda each: resealed(each, signed=dict.fromkeys(each["signed"], "0" * 64))),
        "it says that",
    ),
    "close.json of another month": (
        CLOSE, lambda file: rewrite(file, lambda each: resealed(each, month="2025-02")), "it says that it is of",
    ),
    "published rows": ("published/toy_boats/month=2025-01/data.parquet", take_rows, "its rows have the hash"),
    "published file gone": ("published/toy_boats/month=2025-01/data.parquet", Path.unlink, "it cannot be read"),
    "published file is a link": ("published/toy_boats/month=2025-01/data.parquet", link, "it is a link"),
    "published file that nothing names": (
        "published/toy_boats/month=2025-07/data.parquet", write("x"), "it is gone, and nothing names 1",
    ),
    "published file of a month that is none": ("published/toy_boats/month=ab12-xy/data.parquet", write("x"), "nothing names it"),
    "close.json of a month that is none": ("published/_close/toy/month=2025-13/close.json", write("{}"), "nothing names it"),
    "published file beside": ("published/notes.txt", write("x"), "nothing names it"),
    "quarantine": ("published/quarantine/stream=toy/data.parquet", write("x"), "it is not the file that its manifest names"),
    "manifest of a version, in its facts": (
        SIGNED, lambda file: rewrite(file, lambda each: each["facts"].update(as_of="20260101T000000Z")),
        "it is not the manifest that ledger entry",
    ),
    "manifest of a version is none": (SIGNED, write("["), "it is no manifest"),
    "version with a file more": (f"{FROZEN}/more.parquet", write("x"), "it was not signed"),
    "frozen file is a link": (f"{FROZEN}/toy_boats.parquet", link, "it is a link"),
    "file among versions": ("published/_signed/toy/notes.txt", write("x"), "nothing names it"),
    "frozen pack": (f"{FROZEN}/pack/{PAGE}", append_nul, "it is not the file that was signed"),
    "list of a frozen pack": (
        KEPT_PACK, lambda file: rewrite(file, lambda each: each["files"].pop(PAGE)), "it is not the manifest that ledger entry",
    ),
    "list of a frozen pack gone": (KEPT_PACK, Path.unlink, "it is not the manifest that ledger entry"),
    "pack": (f"{PACK}/{PAGE}", append_nul, "it is not the file that its manifest names"),
    "pack without its page": (f"{PACK}/{PAGE}", Path.unlink, "it is gone"),
    "pack with a file more": (f"{PACK}/more.csv", write("x"), "nothing names it"),
    "manifest of a pack": (f"{PACK}/manifest.json", write("["), "it is no manifest of a pack"),
    "index of packs": ("packs/index.html", append_nul, "it is not the file that its manifest names"),
    "page of a book": ("packs/toy/index.html", append_nul, "it is not the file that its manifest names"),
    "ledger": ("ledger/ledger.jsonl", append_nul, "1 bytes follow it"),
    "ledger is a link": ("ledger/ledger.jsonl", link, "it is a link"),
    "file beside the ledger": ("ledger/ledger.jsonl.bak", write("x"), "nothing names it"),
}  # fmt: skip
"""By a name: the file, what is done to it, and with what the verification answers."""


@pytest.mark.parametrize("way", WAYS)
def test_what_somebody_changed_is_told(home: Deployment, way: str) -> None:
    name, change, words = WAYS[way]
    file = home.settings.home / name
    if not file.parent.exists():
        file.parent.mkdir()
    if not file.exists():
        file.touch()
    change(file)
    found = told(home)
    assert any(problem.startswith(words) for _, problem in found), found
    assert any(subject.startswith(name.split("/")[0]) or "ledger entry" in subject for subject, _ in found), found


def test_a_frozen_file_changed_with_its_manifest_is_told_by_the_ledger(home: Deployment) -> None:
    """Both are written anew, each fitting the other: what the ledger names fits neither."""
    file = home.settings.home / FROZEN / "toy_boats.parquet"
    file.chmod(0o640)
    take_rows(file)
    digest = verifying.freeze._sha256(file)  # the forger computes it as the program does
    rewrite(home.settings.home / SIGNED, lambda each: each["files"]["toy_boats.parquet"].update(sha256=digest))
    assert told(home) == {(SIGNED, "it is not the manifest that ledger entry 2 names")}


def test_a_frozen_pack_changed_with_its_list_is_told_by_the_next_entry(home: Deployment) -> None:
    page = home.settings.home / FROZEN / "pack" / PAGE
    append_nul(page)
    digest = verifying.freeze._sha256(page)  # the forger computes it as the program does
    rewrite(home.settings.home / KEPT_PACK, lambda each: each["files"][PAGE].update(sha256=digest))
    assert told(home) == {(KEPT_PACK, "it is not the manifest that ledger entry 3 names")}


def forge(home: Deployment, folder: Path, page: str, **said: object) -> None:
    """Change a page, and the manifest beside it so that it fits."""
    file = folder / page
    file.chmod(0o640)
    file.write_bytes(file.read_bytes().replace(b"2025-0", b"2026-0"))
    content = file.read_bytes()

    def named_anew(manifest: dict[str, Any]) -> None:
        (listed,) = [each for each in manifest["files"] if each["path"] == page]
        listed["sha256"] = hashlib.sha256(content).hexdigest()
        if "bytes" in listed:
            listed["bytes"] = len(content)
        manifest.update(said)

    rewrite(folder / ("index.json" if page.endswith("index.html") else "manifest.json"), named_anew)


NOT_OURS = "this home's seal on it does not hold: it was rewritten, or an earlier release wrote it"


def test_a_signed_pack_changed_together_with_its_manifest_is_told_by_the_version_that_was_frozen(home: Deployment) -> None:
    forge(home, home.settings.home / PACK, PAGE)
    assert {each for each in told(home) if each[0].startswith(PACK)} == {
        (f"{PACK}/manifest.json", "it says that it is the pack of toy 2025-01 v1, and is not the one that was frozen with it"),
        (f"{PACK}/manifest.json", NOT_OURS),
    }


def test_a_pack_that_nobody_signed_changed_together_with_its_manifest_is_told(computed_toy: Deployment) -> None:
    packs.renew(computed_toy, Judged(computed_toy), say=lambda _: None)
    assert told(computed_toy) == set()
    forge(computed_toy, computed_toy.settings.home / PACK, PAGE)
    assert told(computed_toy) == {(f"{PACK}/manifest.json", NOT_OURS)}
    assert packs.renew(computed_toy, Judged(computed_toy), say=lambda _: None) == [("toy", JANUARY)]
    assert told(computed_toy) == set()


def test_a_signed_pack_forged_as_one_that_nobody_signed_is_told(home: Deployment) -> None:
    forge(home, home.settings.home / PACK, PAGE, preliminary=True, version=None)
    assert (f"{PACK}/manifest.json", NOT_OURS) in told(home)


@pytest.mark.parametrize("page", ["index.html", "toy/index.html"])
def test_the_index_or_the_page_of_a_book_changed_together_with_their_manifest_is_told(home: Deployment, page: str) -> None:
    before = (home.settings.packs_path / page).read_bytes()
    forge(home, home.settings.packs_path, page)
    assert told(home) == {("packs/index.json", NOT_OURS)}
    packs.renew_index(Desk(home, Judged(home)), ())
    assert told(home) == set()
    assert (home.settings.packs_path / page).read_bytes() == before


def test_a_pack_of_another_month_or_of_another_home_is_told(home: Deployment, tmp_path: Path) -> None:
    january, february = home.settings.home / PACK, home.settings.packs_path / "toy" / "2025-02"
    shutil.rmtree(february)
    shutil.copytree(january, february)
    assert ("packs/toy/2025-02/manifest.json", NOT_OURS) in told(home)
    (home.settings.dagster_path / "results.key").write_bytes(b"x" * 32)
    assert (f"{PACK}/manifest.json", NOT_OURS) in told(home)
    (home.settings.dagster_path / "results.key").unlink()
    assert (f"{PACK}/manifest.json", NOT_OURS) in told(home)
