"""The manifest of a close pack: what it shows, what it was made from, and the hash of each of its files.

Belongs here: making and reading it. Does not belong here: the files themselves (``pack``), comparing packs (``index``).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from revenue_integrity import output
from revenue_integrity.model.report import Report, measured
from revenue_integrity.model.stream import MonthFigure, Stream
from revenue_integrity.output import decimal_text
from revenue_integrity.reports.pack_data import PackData

FILE = "manifest.json"


def compared(stream: Stream, report: Report) -> Sequence[MonthFigure]:
    """Return the figures by which the index compares months of a stream: those of its report, else its own."""
    return report.index or stream.figures


def text_of(data: PackData, files: Mapping[str, bytes]) -> bytes:
    """Return the manifest of a pack of some files."""
    as_of = data.as_of
    facts = {
        "book": data.book,
        "month": data.label,
        "streams": [part.stream.name for part in data.parts],
        "currency": data.currency.code,
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
    """Return the figures by which the index compares months; exact amounts as text, ``None`` where one is not available."""
    found: dict[str, Any] = {}
    for part in data.parts:
        for each in compared(part.stream, part.report):
            value = measured(each, part.published)
            found[each.name] = decimal_text(value) if isinstance(value, Decimal) else value
    failed = sum(not (passed is True or passed == 1) for passed in data.checks["passed"].astype(object).tolist())
    return {**found, "failed_checks": failed}


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of the pack in a folder; empty where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
