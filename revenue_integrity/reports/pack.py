"""Writing a close pack: workbook, page, CSVs and a manifest of their hashes, all of them or none.

Belongs here: which files a pack has and how they reach their folder. Does not belong here: what stands in them (``workbook``,
``page``, ``manifest``), when a pack is written and where (``desk.packs``).
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity import output
from revenue_integrity.errors import PublishError
from revenue_integrity.files import made
from revenue_integrity.reports import manifest, page, workbook
from revenue_integrity.reports.pack_data import PackData


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
    return {**files, manifest.FILE: manifest.text_of(data, files)}


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
    if folder.exists() and not (folder / manifest.FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise PublishError(f"{folder} is not empty and holds no close pack", "Choose another folder, or empty this one")
    try:
        _replace_folder(files, folder)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(f"the close pack cannot be written to {folder}: {reason}", "Check space and permissions") from error


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV with plain values; text that a spreadsheet would run gets an apostrophe before it."""
    stream = io.StringIO()
    output.write_csv(output.plain_rows(frame), [str(name) for name in frame.columns], stream, safe_cells=True)
    return stream.getvalue().encode()


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


def _replace_folder(files: Mapping[str, bytes], folder: Path) -> None:
    with made(folder) as new:
        for path, content in files.items():
            target = new / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
