"""What leaves the warehouse: Parquet files with their facts, manifests, and the month's close.json.

Belongs here: the layout of published data, writing it so that a reader sees an old month or a new one, reading it back.
Does not belong here: whether a month may be published (``orchestration.publication``).

``<published>/<dataset>/month=YYYY-MM/data.parquet`` beside a ``manifest.json``; ``<published>/_close/<stream>/month=YYYY-MM/
close.json``, written last, names the hash of each dataset of the month. A dataset without months (``batches``,
``quarantine``) stands in ``<published>/<dataset>/stream=<stream>/``.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import clock, months
from revenue_integrity.errors import PublishError
from revenue_integrity.files import sync, write_if_changed
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.hashing import canonical_digest
from revenue_integrity.warehouse.storage import arrow_schema, exact_frame
from revenue_integrity.warehouse.table import Table

_FACTS = b"revenue_integrity"
"""Parquet metadata key under which a file carries its facts as JSON."""


@dataclass(frozen=True)
class Facts:
    """What a published file says of itself.

    Attributes:
        dataset: its name.
        slice: the month (``2025-03``) or the stream that it holds.
        row_count: its rows.
        content_hash: SHA-256 of its rows (``warehouse.hashing``).
        as_of: arrival of the latest batch that it can know (ISO 8601, UTC).
        code_version: of the rule that made it.
    """

    dataset: str
    slice: str
    row_count: int
    content_hash: str
    as_of: str
    code_version: str


def directory_of(settings: Settings, table: Table, month: date | None) -> Path:
    """Return where a dataset's month stands (or, without a month, its stream's slice)."""
    leaf = f"stream={table.stream}" if month is None else f"month={months.label(month)}"
    return settings.published_path / table.name / leaf


def _close_file(settings: Settings, stream: str, month: date) -> Path:
    return settings.published_path / "_close" / stream / f"month={months.label(month)}" / "close.json"


def publish(
    settings: Settings,
    table: Table,
    month: date | None,
    rows: pa.Table,
    *,
    content_hash: str,
    as_of: str,
    code_version: str,
    batches: Sequence[Sequence[str]],
    checks: Sequence[Mapping[str, Any]],
) -> bool:
    """Publish a dataset's month; return whether its content is new. The same content keeps the file's bytes and its date.

    ``rows`` are in key order. ``batches`` are (id, digest) pairs, ``checks`` results of the month.

    Raises:
        PublishError: the file cannot be written (disk full, no permission); what was published stays.
    """
    directory = directory_of(settings, table, month)
    leaf = directory.name.split("=", 1)[1]
    facts = Facts(table.name, leaf, rows.num_rows, content_hash, as_of, code_version)
    try:
        previous = _facts_of(directory / "data.parquet")
        is_new = previous is None or previous.content_hash != content_hash
        if is_new:
            _write_parquet(directory / "data.parquet", rows, facts)
        published_at = None if is_new else _manifest(directory).get("published_at")
        manifest = {
            **asdict(facts if is_new or previous is None else previous),
            "published_at": published_at or f"{clock.now():%Y-%m-%dT%H:%M:%S.%fZ}",
            "description": table.description,
            "owner": table.owner,
            "key": list(table.key),
            "columns": _columns(table),
            "batches": [{"batch_id": batch, "digest": digest} for batch, digest in batches],
            "checks": [dict(check) for check in checks],
        }
        write_if_changed(directory / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise PublishError(
            f"{table.name} {leaf} cannot be published: {error.strerror or error}",
            f"Make room in {settings.published_path} (or give the right to write there) and run again; the old files stay",
        ) from error
    return is_new


def _columns(table: Table) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "type": table.sql_type(name),
            "unit": table.unit(name),
            "description": str(table.schema.columns[name].description or ""),
        }
        for name in table.columns
    ]


def _write_parquet(file: Path, rows: pa.Table, facts: Facts) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(facts), sort_keys=True).encode()
    described = rows.replace_schema_metadata({_FACTS: text})
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as stream:
            pq.write_table(described, stream, compression="zstd")
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
        sync(file.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _facts_of(file: Path) -> Facts | None:
    if not file.exists():
        return None
    try:
        metadata = pq.read_schema(file).metadata or {}
        return Facts(**json.loads(metadata[_FACTS]))
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise PublishError(f"{file} is no file of ours", "Delete it and run the month again") from error


def _manifest(directory: Path) -> dict[str, Any]:
    file = directory / "manifest.json"
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def close_month(
    settings: Settings, stream: str, month: date, hashes: Mapping[str, str], signed: Mapping[str, str], *, as_of: str
) -> None:
    """Write the month's ``close.json``, last of all: from now on readers see the new month.

    ``signed`` holds, for each dataset that a sign-off attests, the digest of what is signed of it.
    """
    file = _close_file(settings, stream, month)
    content = {"stream": stream, "month": months.label(month), "as_of": as_of, "datasets": dict(sorted(hashes.items()))}
    content["signed"] = dict(sorted(signed.items()))
    held = _read_json(file)
    if held.get("datasets") == content["datasets"] and held.get("signed") == content["signed"]:
        return
    content["published_at"] = f"{clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
    try:
        write_if_changed(file, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise PublishError(f"{file} cannot be written: {error.strerror or error}", "Make room and run the month again") from error


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def closed_hashes(settings: Settings, stream: str, month: date) -> dict[str, str]:
    """Return the hash of each dataset that the month's ``close.json`` names; empty if the month was never published."""
    return dict(_read_json(_close_file(settings, stream, month)).get("datasets", {}))


def signed_digests(settings: Settings, stream: str, month: date) -> dict[str, str]:
    """Return the digest of what is signed of each dataset of the published month; empty if it was never published."""
    return dict(_read_json(_close_file(settings, stream, month)).get("signed", {}))


def file_of(settings: Settings, dataset: str, month: date) -> Path:
    """Return the published file of a dataset's month."""
    return settings.published_path / dataset / f"month={months.label(month)}" / "data.parquet"


def read_together(settings: Settings, stream: str, month: date, datasets: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Return several datasets of a month that belong together.

    Raises:
        PublishError: the month is not published, or a file is not the one that ``close.json`` names (a publication is under
            way, or was interrupted).
    """
    hashes = closed_hashes(settings, stream, month)
    if not hashes:
        raise PublishError(f"{months.label(month)} of {stream} is not published", "Run the month, and look at its failed checks")
    frames = {}
    for dataset in datasets:
        file = file_of(settings, dataset, month)
        facts = _facts_of(file)
        if facts is None or facts.content_hash != hashes.get(dataset):
            raise PublishError(
                f"{dataset} {months.label(month)} is not the one that belongs to the published month",
                "Run the month again: its publication was interrupted",
            )
        frames[dataset] = exact_frame(pq.read_table(file))
    return frames


def read_published(settings: Settings, dataset: str, wanted: Sequence[date] | None) -> pd.DataFrame:
    """Return a dataset as published, in order of months; a manifest that does not match its file is healed from the file.

    Raises:
        PublishError: nothing of the dataset is published for any of the months.
    """
    place = settings.published_path / dataset
    leaves = sorted(place.glob("*=*")) if place.is_dir() else []
    if wanted is not None:
        names = {f"month={months.label(month)}" for month in wanted}
        leaves = [leaf for leaf in leaves if leaf.name in names or leaf.name.startswith("stream=")]
    files = [leaf / "data.parquet" for leaf in leaves if (leaf / "data.parquet").exists()]
    if not files:
        raise PublishError(f"nothing of '{dataset}' is published for these months", "Run the months, or use --live")
    for file in files:
        _heal(file)
    return exact_frame(pa.concat_tables([pq.read_table(file, partitioning=None) for file in files], promote_options="permissive"))


def _heal(file: Path) -> None:
    facts = _facts_of(file)
    manifest = _manifest(file.parent)
    if facts is not None and any(manifest.get(name) != value for name, value in asdict(facts).items()):
        healed = {**manifest, **asdict(facts)}
        write_if_changed(file.parent / "manifest.json", json.dumps(healed, indent=1, ensure_ascii=False) + "\n")


def verify_file(table: Table, file: Path) -> str:
    """Return the content hash of a published file, computed from its rows; compare it with what its facts say."""
    rows = pq.read_table(file, partitioning=None).cast(arrow_schema(table))
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("published_rows", rows)
        return canonical_digest(connection, table, "published_rows")
