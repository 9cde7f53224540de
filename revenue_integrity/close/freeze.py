"""Frozen versions: the published files of a month as they were when it was signed, for ever.

Belongs here: making the copy, proving that it is unchanged, reading it. Does not belong here: whether a month may be signed
(``close.sign_off``), what the signature was given for (``close.ledger``), what changed since (``close.restatement``).

``<published>/_signed/YYYY-MM/vN/`` holds ``<dataset>.parquet``, the close pack under ``pack/`` and a ``manifest.json`` with the
SHA-256 of each file and the ledger entry that approved them. A version appears whole, by one rename, or not at all.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from revenue_integrity import months
from revenue_integrity.close.ledger import Action, Entry, Finding, Ledger, exclusive, signed_path
from revenue_integrity.errors import IntegrityError, LedgerError, PublishError
from revenue_integrity.files import sync
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.catalog import canonical_json
from revenue_integrity.warehouse.former_names import with_present_names
from revenue_integrity.warehouse.storage import exact_frame

MANIFEST = "manifest.json"

PACK = "pack"
"""Where a version keeps its close pack."""

FACTS = ("content_hash", "ledger_seq", "ledger_hash")
"""What a manifest must say of the version: its signed content, and number and hash of the entry that approved it."""

_RESTORE = "Restore the signed version from a backup, and find out who changed it"

_CHUNK_BYTES = 1024 * 1024


def frozen_path(settings: Settings, month: date, version: int) -> Path:
    """Return where a signed version stands."""
    return signed_path(settings) / months.label(month) / f"v{version}"


def freeze(
    settings: Settings,
    files: Mapping[str, Path],
    month: date,
    version: int,
    facts: Mapping[str, Any],
    pack: Mapping[str, bytes] | None = None,
) -> Path:
    """Copy the published files of a month, by dataset, into its signed version; return the version's directory.

    ``facts`` holds at least ``FACTS``, as JSON values; ``pack`` the files of the close pack by their path in it. A version that
    was frozen for the same content and ledger entry is left as it is, so this can be repeated after a crash.

    Raises:
        IntegrityError: the version stands there already with another content.
        LedgerError: a file is missing, or the copy cannot be written; nothing of it is visible.
    """
    missing = [name for name in FACTS if name not in facts]
    if missing:
        raise ValueError(f"a manifest needs the facts {', '.join(missing)}")
    target = frozen_path(settings, month, version)
    with exclusive(signed_path(settings) / ".lock", settings, "freeze"):
        if target.exists():
            _refuse_other(target, set(files), facts)
            return target
        try:
            _discard_unfinished(target)
            _copy(files, pack or {}, target, {"month": months.label(month), "version": version, "facts": dict(facts)})
        except OSError as error:
            _discard_unfinished(target)
            named = error.filename or target
            raise LedgerError(
                f"{months.label(month)} v{version} cannot be frozen: {named}: {error.strerror or error}",
                "Make room or run the month again, and repeat the approval: it continues where it stopped",
            ) from error
    return target


def missing_freezes(settings: Settings, entries: Iterable[Entry]) -> list[Entry]:
    """Return the approvals without a frozen version, in order: a crash came between ledger and freeze, or somebody deleted it."""
    approvals = [entry for entry in entries if entry.action == Action.APPROVE]
    return [entry for entry in approvals if not frozen_path(settings, months.parse(entry.month), entry.version).exists()]


def frozen_versions(settings: Settings, month: date) -> list[int]:
    """Return the numbers of a month's frozen versions, in order."""
    return [version for label, version, _ in _frozen(settings) if label == months.label(month)]


def read_manifest(settings: Settings, month: date, version: int) -> dict[str, Any]:
    """Return the manifest of a frozen version: ``month, version, facts, files``.

    Raises:
        PublishError: there is no such version.
        IntegrityError: its manifest cannot be read.
    """
    directory = frozen_path(settings, month, version)
    if not directory.is_dir():
        raise PublishError(f"there is no signed version {version} of {months.label(month)}", "See 'status' for what is signed")
    try:
        return _manifest(directory)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{directory / MANIFEST} is no manifest", _RESTORE) from error


def read_frozen(settings: Settings, month: date, version: int, dataset: str | Table) -> pd.DataFrame:
    """Return the rows of a dataset as they were signed; by its declaration with the columns of today, by its name as they stand.

    Raises:
        PublishError: there is no such version, or it has no such dataset.
        IntegrityError: the file is not the one that was frozen.
    """
    table = None if isinstance(dataset, str) else dataset
    dataset = dataset if isinstance(dataset, str) else dataset.name
    listed = read_manifest(settings, month, version)["files"]
    file = frozen_path(settings, month, version) / f"{dataset}.parquet"
    if file.name not in listed:
        raise PublishError(f"'{dataset}' is no part of {months.label(month)} v{version}", "See its manifest for what it holds")
    if not file.is_file() or _sha256(file) != listed[file.name]["sha256"]:
        raise IntegrityError(f"{file} is not the file that was signed", _RESTORE)
    rows = pq.read_table(file, partitioning=None)
    return exact_frame(rows if table is None else with_present_names(table, rows))


def verify_frozen(settings: Settings) -> list[Finding]:
    """Recompute the SHA-256 of every file of every frozen version; an empty list says that all holds.

    Also compares each version with the approval in the ledger. Approvals without a version: ``missing_freezes``.
    """
    approvals = _approvals(settings)
    findings: list[Finding] = []
    for label, version, directory in _frozen(settings):
        try:
            manifest = _manifest(directory)
        except (OSError, ValueError):
            findings.append(Finding(str(directory / MANIFEST), "it is no manifest", _RESTORE))
            continue
        findings += _changed_files(directory, manifest["files"])
        problem = "" if approvals is None else _disagreement(manifest, label, version, approvals.get((label, version)))
        if problem:
            findings.append(Finding(str(directory / MANIFEST), problem, _RESTORE))
    return findings


def _frozen(settings: Settings) -> Iterator[tuple[str, int, Path]]:
    place = signed_path(settings)
    for month in sorted(place.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]")):
        versions = [(int(path.name[1:]), path) for path in month.iterdir() if re.fullmatch(r"v[1-9][0-9]*", path.name)]
        yield from ((month.name, version, path) for version, path in sorted(versions))


def _approvals(settings: Settings) -> dict[tuple[str, int], Entry] | None:
    try:
        entries = Ledger(settings).entries()
    except IntegrityError:
        # The ledger's own verification names the entry; files can still be compared with their manifests.
        return None
    return {(entry.month, entry.version): entry for entry in entries if entry.action == Action.APPROVE}


def _manifest(directory: Path) -> dict[str, Any]:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(part), dict) for part in ("facts", "files")):
        raise ValueError("parts are missing")
    if not all(isinstance(listed, dict) and "sha256" in listed for listed in manifest["files"].values()):
        raise ValueError("a file has no SHA-256")
    return manifest


def _changed_files(directory: Path, listed: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()} - {MANIFEST}
    problems = {name: "it is gone" for name in listed if name not in present}
    problems |= {name: "it was not signed" for name in present if name not in listed}
    changed = [name for name in present & set(listed) if _sha256(directory / name) != listed[name]["sha256"]]
    problems |= dict.fromkeys(changed, "it is not the file that was signed: its SHA-256 differs")
    return [Finding(str(directory / name), problem, _RESTORE) for name, problem in sorted(problems.items())]


def _disagreement(manifest: Mapping[str, Any], label: str, version: int, approval: Entry | None) -> str:
    if (manifest.get("month"), manifest.get("version")) != (label, version):
        return f"it says that it is {manifest.get('month')} v{manifest.get('version')}"
    if approval is None:
        return "the ledger has no approval of this version"
    expected = dict(zip(FACTS, (approval.content_hash, approval.seq, approval.hash), strict=True))
    differing = [name for name in FACTS if manifest["facts"].get(name) != expected[name]]
    return f"{', '.join(differing)} differ from ledger entry {approval.seq}" if differing else ""


def _refuse_other(target: Path, datasets: set[str], facts: Mapping[str, Any]) -> None:
    try:
        manifest = _manifest(target)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{target / MANIFEST} is no manifest", _RESTORE) from error
    differing = [name for name in FACTS if manifest["facts"].get(name) != facts[name]]
    if {f"{dataset}.parquet" for dataset in datasets} != {name for name in manifest["files"] if not name.startswith(f"{PACK}/")}:
        differing.append("datasets")
    if differing:
        raise IntegrityError(
            f"{target} is frozen already with another content ({', '.join(differing)})",
            "A signed version is never replaced: reopen the month and sign a new version",
        )
    changed = _changed_files(target, manifest["files"])
    if changed:
        raise IntegrityError(f"{changed[0].subject}: {changed[0].problem}", _RESTORE)


def _copy(files: Mapping[str, Path], pack: Mapping[str, bytes], target: Path, manifest: dict[str, Any]) -> None:
    month_directory = target.parent
    month_directory.mkdir(parents=True, exist_ok=True)
    sync(month_directory.parent)
    unfinished = month_directory / f".{target.name}.{secrets.token_hex(4)}"
    unfinished.mkdir()
    listed = {f"{dataset}.parquet": _copy_file(files[dataset], unfinished / f"{dataset}.parquet") for dataset in sorted(files)}
    listed |= {f"{PACK}/{path}": _write_file(content, unfinished / PACK / path) for path, content in sorted(pack.items())}
    text = json.dumps(json.loads(canonical_json(manifest | {"files": listed})), indent=1, ensure_ascii=False) + "\n"
    _finish(unfinished / MANIFEST, text.encode())
    for directory in [each for each in unfinished.rglob("*") if each.is_dir()]:
        sync(directory)
    sync(unfinished)
    unfinished.rename(target)
    sync(month_directory)


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
    os.fchmod(handle, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    os.fsync(handle)


def _discard_unfinished(target: Path) -> None:
    # Under the lock nobody else is copying: what is unfinished was left by a process that died.
    for leftover in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
