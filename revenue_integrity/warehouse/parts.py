"""Publishing a month in parts: one file per tenant, or per tenant and slice.

Belongs here: which parts differ from what is published, writing exactly those, removing what has no rows any more. Does not
belong here: where parts stand and how they are read (``publish``).

A month passes through three steps. ``publish_parts`` writes every part that differs to disk under a name that nobody reads,
and only when all of them are there puts them into place: a full disk changes nothing. ``publish.close_month`` makes the new
month the valid one. ``remove_others`` takes away what belongs to no part. Whatever a crash leaves, the same steps repair.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity import clock, months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.errors import PublishError
from revenue_integrity.files import made, sync, unfinished
from revenue_integrity.model.query import listed_days
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog
from revenue_integrity.warehouse.former_names import with_former_names
from revenue_integrity.warehouse.hashing import Part, canonical_digests, content_columns
from revenue_integrity.warehouse.publish import (
    Facts,
    Parts,
    closed_hashes,
    closed_parts,
    columns_file,
    described,
    facts_of,
    manifest_in,
    month_of_part,
    part_of,
    tenant_manifest,
    timestamp,
    unpublishable,
    write_manifest,
    write_rows,
)
from revenue_integrity.warehouse.storage import arrow_schema, slices_of_parts

PUBLISHED_AT = "published_at"
"""Run-time column of a table in parts that publishing fills: when the row's content was published first."""


def publish_parts(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    table: Table,
    month: date,
    *,
    content_hash: str,
    slices: Mapping[str, str],
    as_of: str,
    code_version: str,
    batches: Sequence[Sequence[str]],
    checks: Sequence[Mapping[str, Any]],
) -> tuple[Parts, int]:
    """Publish a dataset's month in parts; return what stands then, and how many parts are new or gone.

    ``slices`` are the content hashes of the month's slices as the catalog has them: slices that are published already are not
    read. A part whose content is the same keeps its file. Of a tenant's manifest, checks only say whether they passed: their
    figures are about all tenants.

    Raises:
        PublishError: a file cannot be written (disk full, no permission); what was published stays.
    """
    place = settings.published_path / table.name
    held = closed_parts(settings, table.stream, month).get(table.name, Parts({}, {}))
    by_slice = slices if table.published_slices else {}
    found = {part: _standing(place, part) for part in held.hashes}
    present = {part: facts for part, facts in found.items() if facts and facts.content_hash == held.hashes[part]}
    torn = {_slice_of(part) for part in held.hashes if part not in present}
    if by_slice:
        changed = sorted(day for day in by_slice if by_slice[day] != held.slices.get(day) or day in torn)
        kept = {part: facts for part, facts in present.items() if _slice_of(part) in by_slice and _slice_of(part) not in changed}
    elif content_hash == closed_hashes(settings, table.stream, month).get(table.name) and not torn and held.hashes:
        changed, kept = [], present
    else:
        changed, kept = None, {}
    try:
        wanted = {} if changed == [] else _wanted(connection, table, month, changed, by_slice)
        differing = {part: each for part, each in wanted.items() if not _is_there(place, part, each)}
        _write(connection, settings, table, month, differing, as_of=as_of, code_version=code_version)
        written = {part: facts_of(place / part / "data.parquet") for part in wanted}
        standing = kept | {part: facts for part, facts in written.items() if facts}
        _write_columns(settings, table)
        said = [{name: check[name] for name in ("check", "gate", "state") if name in check} for check in checks]
        more = described(table, batches) | {"checks": said}
        _write_manifests(settings, table, month, standing, more, as_of=as_of, code_version=code_version)
    except OSError as error:
        raise unpublishable(settings, f"{table.name} {months.label(month)}", error) from error
    stands = Parts({part: facts.content_hash for part, facts in standing.items()}, dict(slices))
    return stands, len(differing) + len(set(held.hashes) - set(standing))


def _slice_of(part: str) -> str:
    return part.rpartition("=")[2]


def _standing(place: Path, part: str) -> Facts | None:
    """Return the facts of a part if its file is there and says that it is this one."""
    facts = facts_of(place / part / "data.parquet")
    return facts if facts and facts.slice == part else None


def _is_there(place: Path, part: str, wanted: Part) -> bool:
    facts = _standing(place, part)
    return facts is not None and facts.content_hash == wanted.content_hash


def _wanted(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    month: date,
    days: Sequence[str] | None,
    by_slice: Mapping[str, str],
) -> dict[str, Part]:
    """Return the parts of a month (of some of its slices) as the warehouse holds them, in the order of what names them.

    What the write put on record is taken where it makes up the slice's hash; only other rows are hashed.
    """
    parts: list[Part] = []
    if days is not None:
        recorded = catalog.parts_on_record(connection, table, [date.fromisoformat(day) for day in days])
        whole = {day for day, digest in slices_of_parts(recorded).items() if digest == by_slice[day]}
        parts = [part for part in recorded if f"{part.names[1]}" in whole]
        days = [day for day in days if day not in whole]
    if days is None or days:
        rows, given = _rows_of(table, month, days)
        parts += canonical_digests(connection, table, rows, table.part_columns, **given)
    return {part_of(table, month, part.names): part for part in sorted(parts, key=lambda part: part.names)}


def _rows_of(table: Table, month: date, days: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    rows, given = f'{table.qualified} where "{table.partition}" = $month', {"month": month}
    if days is None:
        return rows, given
    return f'{rows} and "{table.slice_column}" in ({listed_days([date.fromisoformat(day) for day in days])})', given


def _write(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    table: Table,
    month: date,
    parts: Mapping[str, Part],
    *,
    as_of: str,
    code_version: str,
) -> None:
    """Write some parts: all to disk first, then each into its place."""
    place = settings.published_path / table.name
    if not parts:
        return
    rows = _rows(connection, table, month, parts, [place / part / "data.parquet" for part in parts])
    place.mkdir(parents=True, exist_ok=True)
    with unfinished(place, months.label(month)) as made_in:
        begin = 0
        for number, (part, each) in enumerate(parts.items()):
            facts = Facts(table.name, part, each.rows, each.content_hash, as_of, code_version)
            content = with_former_names(table, rows.slice(begin, each.rows))
            write_rows(made_in / str(number), content, facts)
            sync(made_in / str(number))
            begin += each.rows
        for part in parts:
            (place / part).mkdir(parents=True, exist_ok=True)
        for number, part in enumerate(parts):
            (made_in / str(number)).replace(place / part / "data.parquet")
    for directory in sorted({place / part for part in parts} | {(place / part).parent for part in parts} | {place}):
        sync(directory)


def _rows(
    connection: duckdb.DuckDBPyConnection, table: Table, month: date, parts: Mapping[str, Part], published: Sequence[Path]
) -> pa.Table:
    """Return the rows of some parts, one part after the other, with the instant at which each row's content was published."""
    by = ", ".join(f'"{name}"' for name in table.part_columns)
    key = ", ".join(f'"{name}"' for name in table.key)
    types = arrow_schema(table)
    named = {
        name: pa.array([each.names[position] for each in parts.values()], types.field(name).type)
        for position, name in enumerate(table.part_columns)
    }
    connection.register("parts_to_write", pa.table(named))
    stamped = PUBLISHED_AT in table.content_excludes
    columns = [name for name in table.columns if not (stamped and name == PUBLISHED_AT)]
    chosen = ", ".join(f'"{name}"' for name in columns)
    sql = (
        f'select {chosen} from {table.qualified} where "{table.partition}" = $month'
        f" and ({by}) in (select ({by}) from parts_to_write) order by {by}, {key}"
    )
    try:
        rows = connection.sql(sql, params={"month": month}).to_arrow_table()
    finally:
        connection.unregister("parts_to_write")
    if stamped:
        rows = _stamped(connection, table, rows, published)
    return rows.select(table.columns).cast(types)


def _stamped(connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table, published: Sequence[Path]) -> pa.Table:
    """Add ``published_at``: that of the row published before where its content is equal, the present instant elsewhere."""
    now = clock.now()
    types = arrow_schema(table)
    files = [file for file in published if file.exists()]
    before = [pq.ParquetFile(file).read() for file in files]
    # Rows published under another declaration have other content, whatever their values.
    before = [each.cast(types) for each in before if each.schema.names == types.names and each.schema.types == types.types]
    content = content_columns(table)
    same = " and ".join(f'rows."{name}" is not distinct from before."{name}"' for name in content)
    connection.register("rows_to_write", rows.append_column("position", pa.array(range(rows.num_rows), pa.int64())))
    connection.register("rows_before", pa.concat_tables(before) if before else types.empty_table())
    try:
        found = connection.sql(
            f'select coalesce(before."{PUBLISHED_AT}", $now) as at from rows_to_write as rows'
            f" left join rows_before as before on {same} order by position",
            params={"now": now},
        ).to_arrow_table()
    finally:
        connection.unregister("rows_to_write")
        connection.unregister("rows_before")
    return rows.append_column(PUBLISHED_AT, found.column("at"))


def _write_columns(settings: Settings, table: Table) -> None:
    file = columns_file(settings, table.name)
    empty = with_former_names(table, arrow_schema(table).empty_table())
    if file.exists() and pq.read_schema(file).remove_metadata().equals(empty.schema):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with made(file) as new:
        write_rows(new, empty, Facts(table.name, "", 0, "", "", ""))


def _write_manifests(
    settings: Settings,
    table: Table,
    month: date,
    facts: Mapping[str, Facts],
    more: Mapping[str, Any],
    *,
    as_of: str,
    code_version: str,
) -> None:
    """Write the manifest of each tenant's month."""
    of_tenant: dict[str, list[Facts]] = defaultdict(list)
    for part in sorted(facts):
        of_tenant[part.partition("/")[0]].append(facts[part])
    label = months.label(month)
    for tenant, parts in of_tenant.items():
        file = tenant_manifest(settings, table.name, tenant, label)
        listed = [
            {"slice": each.slice.partition("/")[2], "content_hash": each.content_hash, "row_count": each.row_count}
            for each in parts
        ]
        whole = sha256_of({part["slice"]: part["content_hash"] for part in listed})
        held = manifest_in(file)
        same = held.get("content_hash") == whole
        manifest = {
            "dataset": table.name,
            "slice": label,
            "row_count": sum(each.row_count for each in parts),
            "content_hash": whole,
            "as_of": held.get("as_of", as_of) if same else as_of,
            "code_version": held.get("code_version", code_version) if same else code_version,
            "published_at": held.get("published_at", timestamp()) if same else timestamp(),
            **more,
            "parts": listed,
        }
        write_manifest(file, manifest)


def others(settings: Settings, table: Table, month: date, standing: Parts) -> list[Path]:
    """Return the files of a month that belong to no part: parts without rows, manifests of tenants without parts."""
    place, label = settings.published_path / table.name, months.label(month)
    tenants = {part.partition("/")[0] for part in standing.hashes}
    found = []
    for directory in sorted(place.glob("tenant=*")) if place.is_dir() else []:
        manifest = directory / f"manifest-{label}.json"
        if manifest.exists() and directory.name not in tenants:
            found.append(manifest)
        leaves = sorted(each.name for each in directory.iterdir() if month_of_part(each.name) == label)
        unnamed = [leaf for leaf in leaves if f"{directory.name}/{leaf}" not in standing.hashes]
        found += [directory / leaf / "data.parquet" for leaf in unnamed]
    return found


def remove_others(settings: Settings, table: Table, month: date, standing: Parts) -> None:
    """Remove what belongs to no part of a month, once readers know that it does not.

    Raises:
        PublishError: a file cannot be removed.
    """
    place = settings.published_path / table.name
    try:
        for file in others(settings, table, month, standing):
            file.unlink(missing_ok=True)
            for directory in (file.parent, file.parent.parent):
                if directory != place and directory.is_relative_to(place) and not any(directory.iterdir()):
                    directory.rmdir()
    except OSError as error:
        raise PublishError(
            f"{error.filename} cannot be removed: {error.strerror}", "Give the right to write there and run the month again"
        ) from error
