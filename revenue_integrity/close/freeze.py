"""Frozen versions: the published files of a month as they were when it was signed, for ever.

Belongs here: making the copy, proving that it is unchanged, reading it. Does not belong here: whether a month may be signed
(``close.sign_off``), what the signature was given for (``close.ledger``), what changed since (``close.restatement``).

``<published>/_signed/BOOK/YYYY-MM/vN/`` holds ``<dataset>.parquet`` and a ``manifest.json`` with the SHA-256 of each file and the
ledger entry that approved them. A version appears whole, by one rename, or not at all. Versions from before there were books
stand in ``_signed/YYYY-MM/vN/``, where they stay.

Nothing may fail between a signature and its freeze, so the data are copied and hashed before the ledger holds the approval
(``stage``); after it, the entry is written into the manifest and the copy renamed into its place (``finish``). What a process
that died in between left staged is finished later, whatever was published since. The close pack is rendered last, which may fail
on any content: it is added under ``pack/`` when it is made, with its own ``pack.json`` (``keep_pack``).
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import months
from revenue_integrity.canonical import canonical_json, sha256_of
from revenue_integrity.close.ledger import Action, Entry, Finding, Ledger, exclusive, signed_path
from revenue_integrity.errors import IntegrityError, LedgerError, PublishError
from revenue_integrity.files import made, sync, sync_all, walked
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.former_names import with_present_names
from revenue_integrity.warehouse.storage import exact_frame

MANIFEST = "manifest.json"

PACK = "pack"
"""Where a version keeps its close pack."""

PACK_MANIFEST = "pack.json"
"""The SHA-256 of each file of the pack; versions from before packs were made apart name them in their manifest."""

CONTENT = "content_hash"

FACTS = (CONTENT, "ledger_seq", "ledger_hash")
"""What a manifest must say of the version: its signed content, and number and hash of the entry that approved it."""

_RESTORE = "Restore the signed version from a backup, and find out who changed it"

_CHUNK_BYTES = 1024 * 1024

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_VERSION = re.compile(r"v[1-9][0-9]*")


def frozen_path(settings: Settings, book: str, month: date, version: int) -> Path:
    """Return where a signed version of a book stands; without a book, one from before there were any."""
    return signed_path(settings) / book / months.label(month) / f"v{version}"


def place_of(settings: Settings, entry: Entry) -> Path:
    """Return where the version that an entry is about stands."""
    return frozen_path(settings, entry.book, months.parse(entry.month), entry.version)


def stage(settings: Settings, files: Mapping[str, Path], book: str, month: date, version: int, facts: Mapping[str, Any]) -> Path:
    """Copy the published files of a month, by dataset, beside the place of its next signed version; return the copy.

    ``facts`` holds at least the content hash, as JSON values. What was staged for this version before is replaced.

    Raises:
        IntegrityError: the version stands there already.
        LedgerError: a file is missing, or the copy cannot be written; nothing of it stays.
    """
    if CONTENT not in facts:
        raise ValueError(f"a manifest needs the fact {CONTENT}")
    target = frozen_path(settings, book, month, version)
    named = {"book": book} if book else {}
    with _alone(settings):
        if target.exists():
            raise IntegrityError(f"{target} is there already, and the ledger has no approval of it", _RESTORE)
        try:
            _discard_unfinished(target)
            return _copy(files, target, {**named, "month": months.label(month), "version": version, "facts": dict(facts)})
        except OSError as error:
            _discard_unfinished(target)
            raise _unfrozen(target, error, "Make room or run the month again, and repeat the approval") from error


def finish(settings: Settings, entry: Entry) -> Path:
    """Turn what is staged into the signed version that an approval made; return its directory.

    A version that is there already for this entry is left as it is, so this can be repeated after a crash.

    Raises:
        IntegrityError: nothing is staged for this content, or the version stands there with another.
        LedgerError: the manifest cannot be written; what is staged stays.
    """
    target = place_of(settings, entry)
    approved = {CONTENT: entry.content_hash, "ledger_seq": entry.seq, "ledger_hash": entry.hash}
    with _alone(settings):
        if target.exists():
            _refuse_other(target, approved)
            return target
        staged = next((each for each, content in _staged(target) if content == entry.content_hash), None)
        if staged is None:
            raise IntegrityError(
                f"{entry.named} was approved and not frozen, and its data are gone",
                "Restore the published month from a backup, or approve it anew",
            )
        try:
            manifest = _manifest(staged)
            _replace_file(staged / MANIFEST, _text(manifest | {"facts": manifest["facts"] | approved}))
            staged.rename(target)
            sync(target.parent)
        except OSError as error:
            raise _unfrozen(target, error, "Make room: the next command completes it") from error
    return target


def reached(settings: Settings, entries: Sequence[Entry], staged: Path | None = None) -> list[dict[str, str]]:
    """Return the hash of every manifest that no entry reaches yet, by its path: those on disk, and of a version about to be.

    A version names the entry that approved it, which cannot hold a hash of that: what is hashed is the rest of the manifest.
    """
    known = {each["path"] for entry in entries for each in entry.reaches}
    found: dict[str, str] = {}
    for _, _, _, directory in _frozen(settings):
        for name in (MANIFEST, PACK_MANIFEST):
            path = _reached_path(settings, directory / name)
            # What cannot be read is a finding of the verification, and nothing to vouch for.
            if path not in known and (digest := _digest_of_manifest(directory / name)):
                found[path] = digest
    if staged is not None and (digest := _digest_of_manifest(staged / MANIFEST)):
        version = staged.name.split(".")[1]
        found[_reached_path(settings, staged.with_name(version) / MANIFEST)] = digest
    return [{"path": path, "sha256": digest} for path, digest in sorted(found.items())]


def _reached_path(settings: Settings, file: Path) -> str:
    return file.relative_to(signed_path(settings)).as_posix()


def _digest_of_manifest(file: Path) -> str:
    """Return the hash of what a manifest says, but for the entry that approved its version; empty where there is none."""
    try:
        manifest = _manifest(file.parent, file.name)
    except (OSError, ValueError):
        return ""
    facts = {name: value for name, value in manifest["facts"].items() if name not in FACTS[1:]}
    return sha256_of(manifest | {"facts": facts})


def is_staged(settings: Settings, entry: Entry) -> bool:
    """Return whether the data of an approval are kept, although its version is not there yet."""
    return any(content == entry.content_hash for _, content in _staged(place_of(settings, entry)))


def unstage(settings: Settings, book: str, month: date, version: int) -> None:
    """Take away what was staged for a version that nobody approved after all."""
    with _alone(settings):
        _discard_unfinished(frozen_path(settings, book, month, version))


def keep_pack(settings: Settings, entry: Entry, files: Mapping[str, bytes]) -> Path:
    """Add the close pack, its files by their path in it, to the version that an approval made; return its directory.

    A version that has its pack already is left as it is.

    Raises:
        PublishError: there is no such version.
        LedgerError: the pack cannot be written; nothing of it is visible.
    """
    version = place_of(settings, entry)
    target = version / PACK
    with _alone(settings):
        if not version.is_dir():
            raise PublishError(f"there is no signed version {entry.named}", "See 'status' for what is signed")
        if target.exists():
            return target
        beside = version.with_name(f"{version.name}-{PACK}")
        try:
            _discard_unfinished(beside)
            unfinished = _unfinished(beside)
            listed = {path: _write_file(content, unfinished / path) for path, content in sorted(files.items())}
            sync_all(unfinished)
            # First what names the files, then all of them at once: without the folder, the list counts for nothing.
            facts = {"ledger_seq": entry.seq, "ledger_hash": entry.hash}
            _replace_file(version / PACK_MANIFEST, _text({"facts": facts, "files": listed}))
            unfinished.rename(target)
            sync(version)
        except OSError as error:
            _discard_unfinished(beside)
            raise _unfrozen(target, error, "Make room: the next command makes the pack") from error
    return target


def is_frozen(settings: Settings, entry: Entry) -> bool:
    """Return whether the version that an entry is about stands."""
    return place_of(settings, entry).is_dir()


def missing_freezes(settings: Settings, entries: Iterable[Entry]) -> list[Entry]:
    """Return the approvals without a frozen version, in order: a crash came between ledger and freeze, or somebody deleted it."""
    return [entry for entry in entries if entry.action == Action.APPROVE and not is_frozen(settings, entry)]


def unfrozen(settings: Settings) -> list[str]:
    """Return, as sentences for whoever reads, which approvals are not frozen yet; nothing where the ledger cannot be read."""
    try:
        missing = missing_freezes(settings, Ledger(settings).entries())
    except (IntegrityError, LedgerError):
        return []
    return [f"{each.named} was approved and is not frozen yet: the next command that may write completes it" for each in missing]


def missing_packs(settings: Settings, entries: Iterable[Entry]) -> list[Entry]:
    """Return the approvals whose version is frozen without its close pack, in order: a renderer failed, or a crash came first."""
    frozen = [entry for entry in entries if entry.action == Action.APPROVE and is_frozen(settings, entry)]
    return [entry for entry in frozen if not (place_of(settings, entry) / PACK).exists()]


def read_manifest(settings: Settings, entry: Entry) -> dict[str, Any]:
    """Return the manifest of the frozen version that an entry is about: ``book, month, version, facts, files``.

    Raises:
        PublishError: there is no such version.
        IntegrityError: its manifest cannot be read.
    """
    directory = place_of(settings, entry)
    if not directory.is_dir():
        raise PublishError(f"there is no signed version {entry.named}", "See 'status' for what is signed")
    try:
        return _manifest(directory)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{directory / MANIFEST} is no manifest", _RESTORE) from error


def read_frozen(settings: Settings, entry: Entry, dataset: str | Table) -> pd.DataFrame:
    """Return the rows of a dataset as they were signed; by its declaration with the columns of today, by its name as they stand.

    Raises:
        PublishError: there is no such version, or it has no such dataset.
        IntegrityError: the file is not the one that was frozen.
    """
    return exact_frame(frozen_rows(settings, entry, dataset))


def frozen_rows(settings: Settings, entry: Entry, dataset: str | Table) -> pa.Table:
    """Return the rows of a dataset as ``read_frozen`` does, as an Arrow table."""
    table = None if isinstance(dataset, str) else dataset
    name = dataset if isinstance(dataset, str) else dataset.name
    listed = read_manifest(settings, entry)["files"]
    file = place_of(settings, entry) / f"{name}.parquet"
    if file.name not in listed:
        raise PublishError(f"'{name}' is no part of {entry.named}", "See its manifest for what it holds")
    if not file.is_file() or _sha256(file) != listed[file.name]["sha256"]:
        raise IntegrityError(f"{file} is not the file that was signed", _RESTORE)
    rows = pq.read_table(file, partitioning=None)
    return rows if table is None else with_present_names(table, rows)


def verify_frozen(settings: Settings) -> list[Finding]:
    """Recompute the SHA-256 of every file of every frozen version; an empty list says that all holds.

    Also compares each version with the approval in the ledger. Approvals without a version: ``missing_freezes``.
    """
    entries = _entries(settings)
    approvals = _approvals(entries)
    findings = [*_strange_files(settings), *_unreached(settings, entries or ())]
    for book, label, version, directory in _frozen(settings):
        read = MANIFEST
        try:
            manifest = _manifest(directory)
            read = PACK_MANIFEST
            named = _named_files(directory, manifest)
            of_pack = _manifest(directory, PACK_MANIFEST) if PACK_MANIFEST in named else None
        except (OSError, ValueError):
            findings.append(Finding(str(directory / read), "it is no manifest", _RESTORE))
            continue
        findings += _changed_files(directory, named)
        if approvals is None:
            continue
        approval = approvals.get((book, label, version))
        problem = _disagreement(manifest, book, label, version, approval)
        if problem:
            findings.append(Finding(str(directory / MANIFEST), problem, _RESTORE))
        elif of_pack is not None and approval is not None and of_pack["facts"].get("ledger_hash") != approval.hash:
            findings.append(Finding(str(directory / PACK_MANIFEST), "it is the pack of another approval", _RESTORE))
    return findings


def _frozen(settings: Settings) -> Iterator[tuple[str, str, int, Path]]:
    """Yield book, month, version and place of every frozen version, those from before there were books first."""
    place = signed_path(settings)
    books = sorted(path.name for path in place.glob("[!.]*") if path.is_dir() and not _MONTH.fullmatch(path.name))
    for book in ["", *books]:
        for month in sorted(path for path in (place / book).iterdir() if _MONTH.fullmatch(path.name)) if place.is_dir() else []:
            versions = [(int(path.name[1:]), path) for path in month.iterdir() if _VERSION.fullmatch(path.name)]
            yield from ((book, month.name, version, path) for version, path in sorted(versions))


def _entries(settings: Settings) -> list[Entry] | None:
    try:
        return Ledger(settings).entries()
    except IntegrityError:
        # The ledger's own verification names the entry; files can still be compared with their manifests.
        return None


def _approvals(entries: Sequence[Entry] | None) -> dict[tuple[str, str, int], Entry] | None:
    if entries is None:
        return None
    return {(entry.book, entry.month, entry.version): entry for entry in entries if entry.action == Action.APPROVE}


_OWN = re.compile(r"head\.json|\.lock|\.whole/.+|([^/]+/)?[0-9]{4}-[0-9]{2}/(v[1-9][0-9]*|\.v[^/]+)/.+")
"""What stands among signed versions: the versions with what is in them, what is being made of one, the head and the lock."""


def _strange_files(settings: Settings) -> Iterator[Finding]:
    """Tell what stands among signed versions and is none; what is in a version is compared with its manifest."""
    place = signed_path(settings)
    for file, odd in walked(place):
        if odd or not _OWN.fullmatch(file.relative_to(place).as_posix()):
            yield Finding(str(file), odd or "nothing names it: it is part of no signed version", "Find out who put it there")


def _unreached(settings: Settings, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Tell which manifest is not the one that an entry of the ledger names."""
    for entry in entries:
        for each in entry.reaches:
            file = signed_path(settings) / each["path"]
            # A version that a crash kept from being frozen is told as such.
            if file.parent.is_dir() and _digest_of_manifest(file) != each["sha256"]:
                yield Finding(str(file), f"it is not the manifest that ledger entry {entry.seq} names", _RESTORE)


def _manifest(directory: Path, name: str = MANIFEST) -> dict[str, Any]:
    manifest = json.loads((directory / name).read_bytes())
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(part), dict) for part in ("facts", "files")):
        raise ValueError("parts are missing")
    if not all(isinstance(listed, dict) and "sha256" in listed for listed in manifest["files"].values()):
        raise ValueError("a file has no SHA-256")
    return manifest


def _named_files(directory: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return every file that a version names, those of its pack included."""
    named = {MANIFEST: None, **manifest["files"]}
    if any(name.startswith(f"{PACK}/") for name in named) or not (directory / PACK_MANIFEST).is_file():
        return named
    # A list without its folder is what a crash left: the pack is made anew.
    listed = _manifest(directory, PACK_MANIFEST)["files"] if (directory / PACK).exists() else {}
    return {PACK_MANIFEST: None, **{f"{PACK}/{path}": each for path, each in listed.items()}, **named}


def _changed_files(directory: Path, named: Mapping[str, Any]) -> list[Finding]:
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}
    problems = {name: "it is gone" for name in named if name not in present}
    problems |= {name: "it was not signed" for name in present if name not in named}
    sealed = {name: each["sha256"] for name, each in named.items() if each is not None and name in present}
    changed = [name for name, sha256 in sealed.items() if _sha256(directory / name) != sha256]
    problems |= dict.fromkeys(changed, "it is not the file that was signed: its SHA-256 differs")
    return [Finding(str(directory / name), problem, _RESTORE) for name, problem in sorted(problems.items())]


def _disagreement(manifest: Mapping[str, Any], book: str, label: str, version: int, approval: Entry | None) -> str:
    said = (manifest.get("book", ""), manifest.get("month"), manifest.get("version"))
    if said != (book, label, version):
        return f"it says that it is {' '.join(str(each) for each in said[:2] if each)} v{said[2]}"
    if approval is None:
        return "the ledger has no approval of this version"
    expected = dict(zip(FACTS, (approval.content_hash, approval.seq, approval.hash), strict=True))
    differing = [name for name in FACTS if manifest["facts"].get(name) != expected[name]]
    return f"{', '.join(differing)} differ from ledger entry {approval.seq}" if differing else ""


def _refuse_other(target: Path, approved: Mapping[str, Any]) -> None:
    try:
        manifest = _manifest(target)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{target / MANIFEST} is no manifest", _RESTORE) from error
    differing = [name for name in FACTS if manifest["facts"].get(name) != approved[name]]
    if differing:
        raise IntegrityError(
            f"{target} is frozen already with another content ({', '.join(differing)})",
            "A signed version is never replaced: reopen the month and sign a new version",
        )
    changed = _changed_files(target, _named_files(target, manifest))
    if changed:
        raise IntegrityError(f"{changed[0].subject}: {changed[0].problem}", _RESTORE)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with exclusive(signed_path(settings) / ".lock", settings, "freeze"):
        yield


def _unfrozen(target: Path, error: OSError, next_step: str) -> LedgerError:
    return LedgerError(f"{target} cannot be written: {error.filename or target}: {error.strerror or error}", next_step)


def _staged(target: Path) -> Iterator[tuple[Path, str]]:
    """Yield the copies that wait to become a version, each with the content that it holds."""
    for found in sorted(target.parent.glob(f".{target.name}.*")):
        try:
            yield found, str(_manifest(found)["facts"].get(CONTENT))
        except (OSError, ValueError):
            # Its copying was interrupted: the manifest comes last.
            continue


def _copy(files: Mapping[str, Path], target: Path, manifest: dict[str, Any]) -> Path:
    unfinished = _unfinished(target)
    listed = {f"{dataset}.parquet": _copy_file(files[dataset], unfinished / f"{dataset}.parquet") for dataset in sorted(files)}
    _finish(unfinished / MANIFEST, _text(manifest | {"files": listed}))
    sync_all(unfinished)
    return unfinished


def _unfinished(target: Path) -> Path:
    """Make the folder in which a version or a pack is written before it gets its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sync(target.parent.parent)
    unfinished = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    unfinished.mkdir()
    return unfinished


def _text(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(json.loads(canonical_json(content)), indent=1, ensure_ascii=False) + "\n").encode()


def _replace_file(file: Path, content: bytes) -> None:
    """Put a sealed file in the place of another, or of none."""
    # Beside the version: in it, what a crash left would look like a file that nobody signed.
    with made(file, within=file.parent.parent) as new:
        _finish(new, content)


def _copy_file(source: Path, copy: Path) -> dict[str, Any]:
    """Copy a file to disk, read-only, and return what the manifest says of it: of the bytes copied, whatever comes after."""
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as original, copy.open("xb") as stream:
        while chunk := original.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += stream.write(chunk)
        stream.flush()
        _seal(stream.fileno())
    return {"sha256": digest.hexdigest(), "bytes": size}


def _write_file(content: bytes, file: Path) -> dict[str, Any]:
    file.parent.mkdir(parents=True, exist_ok=True)
    _finish(file, content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _finish(file: Path, content: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        _seal(stream.fileno())


def _seal(handle: int) -> None:
    os.fchmod(handle, stat.S_IRUSR | stat.S_IRGRP)
    os.fsync(handle)


def _discard_unfinished(target: Path) -> None:
    # Under the lock nobody else is copying: what is unfinished was left by a process that died.
    for leftover in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
