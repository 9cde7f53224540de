"""What leaves the warehouse: Parquet files with their facts, manifests, and the month's close.json.

Belongs here: the layout of published data, writing it so that a reader sees an old month or a new one, reading it back.
Does not belong here: whether a month may be published (``orchestration.publication``), which parts differ (``parts``).

``<published>/<dataset>/month=YYYY-MM/data.parquet`` beside a ``manifest.json``; ``<published>/_close/<stream>/month=YYYY-MM/
close.json``, written last, names the hash of each dataset of the month. A dataset without months (``batches``,
``quarantine``) stands in ``<published>/<dataset>/stream=<stream>/``.

A dataset with tenants is published in parts, so that no file holds rows of two of them: ``<dataset>/tenant=T/month=YYYY-MM/``,
or by slices ``<dataset>/tenant=T/usage_date=YYYY-MM-DD/``, each with a ``data.parquet``; ``<dataset>/tenant=T/
manifest-YYYY-MM.json`` lists the tenant's parts, ``close.json`` those of all (``warehouse.parts`` writes them).
"""

import glob
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import clock, months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.errors import PublishError
from revenue_integrity.files import made, write_if_changed
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.former_names import as_formerly_named, with_former_names, with_present_names
from revenue_integrity.warehouse.hashing import canonical_digests, empty_digest
from revenue_integrity.warehouse.storage import arrow_schema, exact_frame

_FACTS = b"revenue_integrity"
"""Parquet metadata key under which a file carries its facts as JSON."""


@dataclass(frozen=True)
class Facts:
    """What a published file says of itself.

    Attributes:
        dataset: its name.
        slice: the month (``2025-03``) or the stream that it holds; of a part, where it stands below its dataset.
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


@dataclass(frozen=True)
class Parts:
    """What is published of a month in parts.

    Attributes:
        hashes: the content hash of each part, by where it stands below its dataset (``tenant=T/month=2025-03``).
        slices: the content hash of each slice of the month over all tenants, where the warehouse keeps them.
    """

    hashes: Mapping[str, str]
    slices: Mapping[str, str]


def tenant_directory(tenant: str) -> str:
    """Return the directory name of a tenant: percent-encoded, so that no name leads out of it or names another."""
    return f"tenant={quote(tenant, safe='')}"


def tenants_of(settings: Settings, dataset: str) -> list[str]:
    """Return the tenants of which something of a dataset is published."""
    return sorted(unquote(each.name.partition("=")[2]) for each in (settings.published_path / dataset).glob("tenant=*"))


def part_of(table: Table, month: date, values: Sequence[Any]) -> str:
    """Return where the part that some values of ``Table.part_columns`` name stands below its dataset."""
    leaf = f"{table.slice_column}={values[1]:%Y-%m-%d}" if len(values) > 1 else f"month={months.label(month)}"
    return f"{tenant_directory(values[0])}/{leaf}"


def month_of_part(part: str) -> str:
    """Return the label of the month that a part belongs to, empty for what is no part."""
    _, named, value = part.rpartition("=")
    return value[:7] if named else ""


def tenant_manifest(settings: Settings, dataset: str, tenant_place: str, label: str) -> Path:
    """Return the manifest of a tenant's month: it lists the parts."""
    return settings.published_path / dataset / tenant_place / f"manifest-{label}.json"


def columns_file(settings: Settings, dataset: str) -> Path:
    """Return the file without rows that keeps the columns of a dataset in parts, for months that have none."""
    return settings.published_path / dataset / "columns.parquet"


def directory_of(settings: Settings, table: Table, month: date | None) -> Path:
    """Return where a dataset's month stands (or, without a month, its stream's slice)."""
    leaf = f"stream={table.stream}" if month is None else f"month={months.label(month)}"
    return settings.published_path / table.name / leaf


def close_file(settings: Settings, stream: str, month: date) -> Path:
    """Return the file that names the datasets of a stream's published month."""
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
        previous = facts_of(directory / "data.parquet")
        is_new = previous is None or previous.content_hash != content_hash
        if is_new:
            _write_parquet(directory / "data.parquet", with_former_names(table, rows), facts)
        published_at = None if is_new else _manifest(directory).get("published_at")
        manifest = {
            **asdict(facts if is_new or previous is None else previous),
            "published_at": published_at or timestamp(),
            **described(table, batches),
            "checks": [dict(check) for check in checks],
        }
        write_manifest(directory / "manifest.json", manifest)
    except OSError as error:
        raise unpublishable(settings, f"{table.name} {leaf}", error) from error
    return is_new


def timestamp() -> str:
    """Return the present instant as manifests write it."""
    return f"{clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"


def described(table: Table, batches: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return what a manifest says of its table, and the batches behind it."""
    return {
        "description": table.description,
        "owner": table.owner,
        "key": list(table.identity),
        "columns": _columns(table),
        "batches": [{"batch_id": batch, "digest": digest} for batch, digest in batches],
    }


def write_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest, unless it says the same already."""
    write_if_changed(file, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def unpublishable(settings: Settings, what: str, error: OSError) -> PublishError:
    """Return the error of a publication that the disk refused."""
    return PublishError(
        f"{what} cannot be published: {error.strerror or error}",
        f"Make room in {settings.published_path} (or give the right to write there) and run again; the old files stay",
    )


def _columns(table: Table) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "type": table.sql_type(name),
            "unit": table.unit(name),
            "description": str(table.schema.columns[name].description or ""),
        }
        for name in table.columns
    ] + [
        {
            "name": former,
            "type": table.sql_type(name),
            "unit": table.unit(name),
            "description": f"Deprecated: the former name of {name}; gone with the next release.",
        }
        for name, former in table.formerly.items()
    ]


def _write_parquet(file: Path, rows: pa.Table, facts: Facts) -> None:
    with made(file) as new:
        write_rows(new, rows, facts)


def write_rows(file: Path, rows: pa.Table, facts: Facts) -> None:
    """Write rows and their facts into a file that nobody reads yet."""
    text = json.dumps(asdict(facts), sort_keys=True).encode()
    # Into a stream: what the system refuses is then told in its own words, and not in Arrow's.
    with file.open("wb") as stream:
        pq.write_table(rows.replace_schema_metadata({_FACTS: text}), stream, compression="zstd")


def facts_of(file: Path) -> Facts | None:
    """Return what a published file says of itself, ``None`` if there is no such file.

    Raises:
        PublishError: somebody else wrote it.
    """
    if not file.exists():
        return None
    try:
        metadata = pq.read_schema(file).metadata or {}
        return Facts(**json.loads(metadata[_FACTS]))
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise PublishError(f"{file} is no file of ours", "Delete it and run the month again") from error


def has_facts(file: Path) -> bool:
    """Return whether a file says something of itself; one that was made of several parts does not."""
    return _FACTS in (pq.read_schema(file).metadata or {})


def _manifest(directory: Path) -> dict[str, Any]:
    return manifest_in(directory / "manifest.json")


def manifest_in(file: Path) -> dict[str, Any]:
    """Return a manifest; empty if there is none, or if what is there is none."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def close_month(
    settings: Settings,
    stream: str,
    month: date,
    hashes: Mapping[str, str],
    signed: Mapping[str, str],
    *,
    as_of: str,
    parts: Mapping[str, Parts] | None = None,
    signed_slices: Mapping[str, Mapping[str, str]] | None = None,
    judged: Mapping[str, str] | None = None,
    unfinished: bool = False,
) -> None:
    """Write the month's ``close.json``, last of all: from now on readers see the new month.

    ``signed`` holds, for each dataset that a sign-off attests, the digest of what is signed of it, and ``signed_slices`` those
    of its slices where it is kept in slices; ``parts`` what stands of each dataset that is published in parts, ``judged`` for
    each table what its checks rested on. What is still to be done behind a month that readers see makes it ``unfinished``.
    """
    file = close_file(settings, stream, month)
    content: dict[str, Any] = {"stream": stream, "month": months.label(month), "as_of": as_of}
    content |= {"datasets": dict(sorted(hashes.items())), "signed": dict(sorted(signed.items()))}
    if parts:
        content["parts"] = {name: dict(sorted(each.hashes.items())) for name, each in sorted(parts.items())}
        content["slices"] = {name: dict(sorted(each.slices.items())) for name, each in sorted(parts.items()) if each.slices}
    if signed_slices:
        content["signed_slices"] = {name: dict(sorted(each.items())) for name, each in sorted(signed_slices.items())}
    if judged:
        content["judged"] = dict(sorted(judged.items()))
    if unfinished:
        content["unfinished"] = True
    held = _read_json(file)
    published = ("datasets", "signed", "parts", "slices", "signed_slices")
    same = held and all(held.get(name) == content.get(name) for name in published)
    if same and all(held.get(name) == content.get(name) for name in ("judged", "unfinished")):
        return
    content["published_at"] = held["published_at"] if same else timestamp()
    content["sha256"] = sha256_of(content)
    try:
        write_if_changed(file, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise PublishError(f"{file} cannot be written: {error.strerror or error}", "Make room and run the month again") from error


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        stat = file.stat()
        return _parsed(file, stat.st_mtime_ns, stat.st_ino, stat.st_size)
    except (OSError, ValueError):
        # What is none names nothing: the month is published anew by its next run, and until then a verification tells it.
        return {}


_PARTS = ("datasets", "signed", "parts", "slices", "signed_slices", "judged")
"""What ``close.json`` names, each by a name."""


@lru_cache(maxsize=512)
def _parsed(file: Path, modified: int, inode: int, size: int) -> Mapping[str, Any]:
    """Parse a month's file; each replacement has another time and inode, so what is kept is never old."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not all(isinstance(found.get(part, {}), dict) for part in _PARTS):
        raise ValueError("no close.json")
    return found


def close_problem(settings: Settings, stream: str, month: date) -> str:
    """Return what is wrong with a month's ``close.json`` itself; empty for nothing. Earlier releases did not seal it."""
    file = close_file(settings, stream, month)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "it is gone"
    except (OSError, ValueError) as error:
        return f"it cannot be read: {error}"
    if not isinstance(content, dict) or not content.get("datasets") or not _read_json(file):
        return "it names no datasets"
    if (content.get("stream"), content.get("month")) != (stream, months.label(month)):
        return f"it says that it is of {content.get('stream')} {content.get('month')}"
    recorded = content.pop("sha256", None)
    return "it is not as it was written" if recorded is not None and recorded != sha256_of(content) else ""


def published_months(settings: Settings, stream: str) -> list[date]:
    """Return the months that a stream has published, in order."""
    closed = (settings.published_path / "_close" / stream).glob("month=*/close.json")
    return sorted(months.parse(file.parent.name.partition("=")[2]) for file in closed)


def is_finished(settings: Settings, stream: str, month: date) -> bool:
    """Return whether nothing is left to do behind the published month."""
    return not _read_json(close_file(settings, stream, month)).get("unfinished", False)


def closed_parts(settings: Settings, stream: str, month: date) -> dict[str, Parts]:
    """Return what the month's ``close.json`` says of each dataset that is published in parts."""
    content = _read_json(close_file(settings, stream, month))
    slices = content.get("slices", {})
    return {name: Parts(hashes, slices.get(name, {})) for name, hashes in content.get("parts", {}).items()}


def closed_hashes(settings: Settings, stream: str, month: date) -> dict[str, str]:
    """Return the hash of each dataset that the month's ``close.json`` names; empty if the month was never published."""
    return dict(_read_json(close_file(settings, stream, month)).get("datasets", {}))


def signed_digests(settings: Settings, stream: str, month: date) -> dict[str, str]:
    """Return the digest of what is signed of each dataset of the published month; empty if it was never published."""
    return dict(_read_json(close_file(settings, stream, month)).get("signed", {}))


def signed_slices(settings: Settings, stream: str, month: date) -> dict[str, dict[str, str]]:
    """Return the digest of what is signed of each slice, by dataset, for datasets that are kept in slices."""
    return dict(_read_json(close_file(settings, stream, month)).get("signed_slices", {}))


def judged(settings: Settings, stream: str, month: date) -> dict[str, str]:
    """Return for each table of the published month what its checks rested on (``computing.versions.judged_tables``)."""
    return dict(_read_json(close_file(settings, stream, month)).get("judged", {}))


def file_of(settings: Settings, dataset: str, month: date) -> Path:
    """Return the published file of a dataset's month."""
    return settings.published_path / dataset / f"month={months.label(month)}" / "data.parquet"


def read_together(settings: Settings, stream: str, month: date, datasets: Iterable[str | Table]) -> dict[str, pd.DataFrame]:
    """Return several datasets of a month that belong together, by name; for a dataset or its declaration see ``read_published``.

    Raises:
        PublishError: the month is not published, or a file is not the one that ``close.json`` names (a publication is under
            way, or was interrupted).
    """
    by_name = {dataset if isinstance(dataset, str) else dataset.name: dataset for dataset in datasets}
    files = files_together(settings, stream, month, by_name)
    return {name: _frame(by_name[name], rows_of_files(settings, name, found)) for name, found in files.items()}


def _frame(dataset: str | Table, rows: pa.Table) -> pd.DataFrame:
    return exact_frame(rows if isinstance(dataset, str) else with_present_names(dataset, rows))


def files_together(settings: Settings, stream: str, month: date, datasets: Iterable[str]) -> dict[str, list[Path]]:
    """Return the files of several datasets of a month that belong together; several for a dataset in parts, or none.

    Raises:
        PublishError: as ``read_together``.
    """
    hashes = closed_hashes(settings, stream, month)
    if not hashes:
        raise PublishError(f"{months.label(month)} of {stream} is not published", "Run the month, and look at its failed checks")
    parts = closed_parts(settings, stream, month)
    found: dict[str, list[Path]] = {}
    for dataset in datasets:
        if dataset in parts:
            expected = {
                settings.published_path / dataset / part / "data.parquet": (part, recorded)
                for part, recorded in parts[dataset].hashes.items()
            }
        else:
            expected = {file_of(settings, dataset, month): (months.label(month), hashes.get(dataset, ""))}
        for file, named in expected.items():
            facts = facts_of(file)
            if facts is None or (facts.slice, facts.content_hash) != named:
                raise PublishError(
                    f"{dataset} {months.label(month)} is not the one that belongs to the published month",
                    "Run the month again: its publication was interrupted",
                )
        found[dataset] = list(expected)
    return found


def write_whole(settings: Settings, dataset: str, files: Sequence[Path], to: Path) -> None:
    """Write all rows of a dataset's month into one file."""
    pq.write_table(rows_of_files(settings, dataset, files).replace_schema_metadata(None), to, compression="zstd")


def rows_of_files(settings: Settings, dataset: str, files: Sequence[Path]) -> pa.Table:
    """Return all rows of a dataset's month as its files have them."""
    read = files or [columns_file(settings, dataset)]
    # A month's file is small: handing its columns to threads costs more than reading them.
    return pa.concat_tables([pq.ParquetFile(file).read(use_threads=False) for file in read], promote_options="permissive")


def read_published(
    settings: Settings, dataset: str | Table, wanted: Sequence[date] | None, *, tenant: str | None = None
) -> pd.DataFrame:
    """Return a dataset as published, in order of months; a manifest that does not match its file is healed from the file.

    By its declaration it has the columns of today, by its name those of its files, former names among them.

    With a ``tenant``, nothing outside the tenant's own directory is looked at.

    Raises:
        PublishError: nothing of the dataset is published for any of the months (and the tenant), or a part is missing or
            stands where another belongs.
    """
    declared = dataset
    dataset = dataset if isinstance(dataset, str) else dataset.name
    place = settings.published_path / dataset
    labels = None if wanted is None else {months.label(month) for month in wanted}
    if tenant is not None:
        tenants = [place / tenant_directory(tenant)]
    else:
        tenants = sorted(place.glob("tenant=*")) if place.is_dir() else []
    files = [file for _, _, file in sorted(each for found in tenants for each in _files_of_tenant(found, labels))]
    if tenant is None and not tenants:
        files = _files_of_months(place, labels)
    if not files and not _is_truly_empty(settings, dataset, wanted, tenant):
        if tenant is not None:
            # The same words whether the tenant is unknown or has nothing in these months: who asks learns of no other.
            raise PublishError(
                f"nothing of '{dataset}' is published for this tenant and these months", "See the spelling of the tenant"
            )
        raise PublishError(f"nothing of '{dataset}' is published for these months", "Run the months, or use --live")
    return _frame(declared, rows_of_files(settings, dataset, files))


def _is_truly_empty(settings: Settings, dataset: str, wanted: Sequence[date] | None, tenant: str | None) -> bool:
    """Return whether a dataset in parts is published for some of the months and has no rows (for a tenant that has others)."""
    if not columns_file(settings, dataset).exists():
        return False
    if tenant is not None and not any(settings.published_path.glob(f"*/{glob.escape(tenant_directory(tenant))}")):
        return False
    leaves = ["month=*"] if wanted is None else [f"month={months.label(month)}" for month in wanted]
    closed = [file for leaf in leaves for file in settings.published_path.glob(f"_close/*/{leaf}/close.json")]
    return any(dataset in _read_json(file).get("parts", {}) for file in closed)


def _files_of_months(place: Path, labels: Collection[str] | None) -> list[Path]:
    leaves = sorted(place.glob("*=*")) if place.is_dir() else []
    if labels is not None:
        names = {f"month={label}" for label in labels}
        leaves = [leaf for leaf in leaves if leaf.name in names or leaf.name.startswith("stream=")]
    files = [leaf / "data.parquet" for leaf in leaves if (leaf / "data.parquet").exists()]
    for file in files:
        _heal(file)
    return files


def _files_of_tenant(directory: Path, labels: Collection[str] | None) -> Iterator[tuple[str, str, Path]]:
    """Yield month, part and file of each part of a tenant, as the manifests list them: what they do not list is no part yet."""
    if not directory.is_dir():
        return
    standing: dict[str, list[str]] = defaultdict(list)
    for leaf in sorted(each.name for each in directory.iterdir() if "=" in each.name):
        standing[month_of_part(leaf)].append(leaf)
    listed = {file.stem.removeprefix("manifest-"): file for file in directory.glob("manifest-*.json")}
    for label in sorted((set(standing) | set(listed)) if labels is None else set(labels) & (set(standing) | set(listed))):
        manifest = manifest_in(directory / f"manifest-{label}.json")
        leaves = [part["slice"] for part in manifest["parts"]] if "parts" in manifest else standing[label]
        for leaf in leaves:
            part, file = f"{directory.name}/{leaf}", directory / leaf / "data.parquet"
            facts = facts_of(file)
            if facts is None or facts.slice != part:
                raise PublishError(
                    f"{leaf} of {directory.parent.name} is missing, or another stands in its place",
                    f"Run {label} again: it is published anew from the warehouse",
                )
            yield label, part, file


def _heal(file: Path) -> None:
    facts = facts_of(file)
    manifest = _manifest(file.parent)
    if facts is not None and any(manifest.get(name) != value for name, value in asdict(facts).items()):
        write_manifest(file.parent / "manifest.json", {**manifest, **asdict(facts)})


@contextmanager
def verifying() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine without a warehouse, to hash the rows of files."""
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def verify_files(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path]) -> dict[Path, str | Exception]:
    """Return the content hash of each published file, computed from its rows with one query, or why it cannot be read."""
    found: dict[Path, str | Exception] = {}
    read: dict[tuple[Table, pa.Schema], list[pa.Table]] = defaultdict(list)
    former = as_formerly_named(table)
    for number, file in enumerate(files):
        try:
            rows = pq.read_table(file, partitioning=None)
            declared = table if set(table.columns) <= set(rows.schema.names) else former
            rows = _without_copies(table, rows)
            declared = _as_written(declared, rows.schema)
            rows = rows.cast(_as_hashed(declared, rows.schema))
        except (OSError, PublishError, KeyError, ValueError) as error:
            found[file] = error
            continue
        found[file] = empty_digest(declared)
        read[declared, rows.schema.remove_metadata()].append(
            rows.append_column("file_place", pa.repeat(pa.scalar(number, pa.int64()), len(rows)))
        )
    for (declared, _), tables in read.items():
        connection.register("published_rows", pa.concat_tables(tables))
        for (number,), _, digest in canonical_digests(connection, declared, "published_rows", ["file_place"]):
            found[files[number]] = digest
        connection.unregister("published_rows")
    return found


def _as_written(table: Table, found: pa.Schema) -> Table:
    """Return a table with the columns that a file has where it lacks some that were declared since: its hash knows none of them.

    A file that lacks a column of the key is none of the table.
    """
    lacking = set(table.columns) - set(found.names)
    if not lacking or lacking & set(table.key):
        return table
    return table.only([name for name in table.columns if name not in lacking])


def _as_hashed(table: Table, found: pa.Schema) -> pa.Schema:
    """Return the types by which a file's rows were hashed: those declared, but decimals with the places they had then."""
    return pa.schema(
        found.field(wanted.name)
        if pa.types.is_decimal(wanted.type) and pa.types.is_decimal(found.field(wanted.name).type)
        else wanted
        for wanted in arrow_schema(table)
    )


def _without_copies(table: Table, rows: pa.Table) -> pa.Table:
    """Return a file's rows without the copies under former names, which must say what their columns say.

    Raises:
        PublishError: a copy says something else.
    """
    for name, former in table.formerly.items():
        if {name, former} <= set(rows.schema.names):
            if not rows.column(former).equals(rows.column(name)):
                raise PublishError(f"{former} differs from {name}", "Run the month again")
            rows = rows.drop_columns([former])
    return rows
