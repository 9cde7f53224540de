"""Writing a close pack: workbook, page, CSVs and a manifest of their hashes, all of them or none.

Belongs here: which files a pack has and how they reach their folder. Does not belong here: what stands in them (``workbook``,
``page``), when a pack is written and where (the close).
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity import months, output
from revenue_integrity.errors import PublishError
from revenue_integrity.reports import cloud_figures, figures, formatting, page, workbook
from revenue_integrity.reports.pack_data import PackData

MANIFEST = "manifest.json"
INDEX = "index.html"


def page_name(data: PackData) -> str:
    """Return the page's file name."""
    return f"close-pack-{data.label}.html"


def pack_files(data: PackData) -> dict[str, bytes]:
    """Return the files of a pack by their path in it, the manifest last: the same data give the same bytes."""
    files = {
        workbook.file_name(data): workbook.workbook_bytes(data),
        page_name(data): page.page(data).encode(),
        **{f"csv/{name}.csv": csv_bytes(frame) for name, frame in sorted(_datasets(data).items())},
    }
    return {**files, MANIFEST: _manifest(data, files)}


def write_pack(data: PackData, folder: Path) -> Path:
    """Write the pack of a month into ``folder``, replacing what it held; return the page.

    The files are written beside the folder and renamed into its place: a crash leaves the old pack or the new one.

    Raises:
        PublishError: the folder cannot be written, or holds something that is no pack.
    """
    write_files(pack_files(data), folder)
    return folder / page_name(data)


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a pack into ``folder`` as ``write_pack`` does.

    Raises:
        PublishError: the folder cannot be written, or holds something that is no pack.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise PublishError(f"{folder} is not empty and holds no close pack", "Choose another folder, or empty this one")
    try:
        _replace_folder(files, folder)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(f"the close pack cannot be written to {folder}: {reason}", "Check space and permissions") from error


def write_index(rows: Sequence[page.IndexRow], folder: Path) -> Path:
    """Write the index of all months' packs into ``folder``; return it.

    Raises:
        PublishError: the folder cannot be written.
    """
    target = folder / INDEX
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".new")
        try:
            with os.fdopen(handle, "wb") as stream:
                _write(stream, page.index_page(rows).encode())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(f"the index cannot be written to {target}: {reason}", "Check space and permissions") from error
    return target


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of the pack in a folder; empty where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def index_rows(folder: Path) -> list[page.IndexRow]:
    """Return a row for each month's pack below a folder, from the manifests: the index says what the packs say."""
    rows = []
    for place in sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]")):
        manifest = read_manifest(place)
        if "headline" in manifest:
            facts = {"status": manifest["status"], "version": manifest["version"], **manifest["headline"]}
            link = f"{place.name}/close-pack-{place.name}.html"
            rows.append(page.IndexRow.of(months.parse(place.name), link, facts))
    return rows


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV with plain values; text that a spreadsheet would run gets an apostrophe before it."""
    stream = io.StringIO()
    rows = ({name: _harmless(value) for name, value in row.items()} for row in output.plain_rows(frame))
    output.write_csv(rows, [str(name) for name in frame.columns], stream)
    return stream.getvalue().encode()


def _harmless(value: Any) -> Any:
    return formatting.without_formula(value) if isinstance(value, str) else value


def _datasets(data: PackData) -> dict[str, pd.DataFrame]:
    status = pd.DataFrame(
        [{"month": data.month, **{name: _json_text(value) for name, value in data.status.items()}}], dtype=object
    )
    return {
        **data.tables,
        "checks": data.checks,
        "waivers": data.waivers,
        "sign_off_ledger": data.ledger,
        "restatement": data.restatement,
        "close_status": status,
    }


def _json_text(value: Any) -> Any:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False) if isinstance(value, list | dict | tuple) else value


def _manifest(data: PackData, files: Mapping[str, bytes]) -> bytes:
    as_of = data.as_of
    facts = {
        "month": data.label,
        "stream": data.stream,
        "status": data.status.get("status") or "open",
        "preliminary": data.preliminary,
        "version": data.version,
        "content_hash": data.status.get("content_hash") or None,
        "as_of": None if as_of is None else output.plain(as_of),
        "ledger_head": data.ledger_head or None,
        "made_from": data.made_from or None,
        "headline": _headline(data),
        "files": [
            {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in sorted(files.items())
        ],
    }
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def _headline(data: PackData) -> dict[str, Any]:
    """Return the figures by which the index compares months, of the streams that the pack shows."""
    revenue = figures.headline(data) if data.has_colocation else {}
    cloud = cloud_figures.headline(data) if data.has_cloud else {}
    return {**revenue, **cloud, "failed_checks": len(figures.failing_checks(data))}


def _write(stream: Any, content: bytes) -> None:
    stream.write(content)
    stream.flush()
    os.fsync(stream.fileno())


def _replace_folder(files: Mapping[str, bytes], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".new"))
    try:
        for path, content in files.items():
            target = staging / path
            target.parent.mkdir(exist_ok=True)
            with target.open("wb") as stream:
                _write(stream, content)
        staging.chmod(0o755)
        _swap(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _swap(staging: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one; put the old one back if that fails."""
    if not folder.exists():
        staging.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".old"))
    folder.rename(aside / folder.name)
    try:
        staging.rename(folder)
    except BaseException:
        (aside / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
