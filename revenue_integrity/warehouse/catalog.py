"""What each partition was made from and what it holds: fingerprints and content hashes.

Belongs here: recording them in the transaction that writes the partition, and the copies beside the warehouse that are
readable without opening it. Does not belong here: deciding what is stale (``orchestration.staleness``).

The warehouse is the truth; ``<home>/catalog/*.json`` is a copy, written after commit and healed from the warehouse.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from revenue_integrity import clock, months
from revenue_integrity.canonical import canonical_json, sha256_of
from revenue_integrity.files import write_if_changed
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.hashing import Part

ABSENT = "absent"
"""Hash of a neighbour that is not there: a state like any other."""

WHOLE = "whole"
"""Stands for the month of a table that belongs to none."""

NO_MONTH = date.min
"""The same in the warehouse, where a month is a date."""


@dataclass(frozen=True)
class PartitionRecord:
    """What is on record of one partition.

    Attributes:
        fingerprint: hash of everything it was made from.
        content_hash: hash of what it holds.
        rows: how many rows it has.
        code_version: of the rule that made it.
        settings: the settings that it rests on, as text.
        inputs: hash of each slice that it read.
        computed_at: when its rows were last computed (ISO 8601, UTC).
        slices: for a table that is kept in slices, the hash of each by its day.
    """

    fingerprint: str
    content_hash: str
    rows: int
    code_version: str
    settings: Mapping[str, str]
    inputs: Mapping[str, str]
    computed_at: str
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalog:
    """All records of a home, as its files tell them."""

    partitions: Mapping[str, PartitionRecord] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)

    def partition(self, qualified: str, month: date | None) -> PartitionRecord | None:
        """Return the record of a table's month (of a table without months), or ``None`` if it was never computed."""
        return self.partitions.get(f"{qualified}@{WHOLE if month is None else months.label(month)}")

    def content_hash(self, qualified: str, month: date) -> str | None:
        """Return what a table's month holds, or ``None`` if it was never computed."""
        record = self.partition(qualified, month)
        return record.content_hash if record else None

    def slice_hash(self, source: str, month: date) -> str | None:
        """Return the hash of a source's rows that matter to a month, or ``None`` if there are none."""
        return self.slices.get(f"{source}@{months.label(month)}")

    def day_hashes(self, source: str, month: date) -> dict[str, str]:
        """Return the hash of each day's slice of a source that is kept in files, by day."""
        prefix, suffix = f"{source}/", f"@{months.label(month)}"
        return {
            name[len(prefix) : -len(suffix)]: found
            for name, found in self.slices.items()
            if name.startswith(prefix) and name.endswith(suffix)
        }

    def slice_months(self, source: str) -> list[date]:
        """Return the months for which a source has rows, in order."""
        return sorted(months.parse(name.split("@")[1]) for name in self.slices if name.startswith(f"{source}@"))


def fingerprint(code_version: str, settings: Mapping[str, str], inputs: Mapping[str, str]) -> str:
    """Return the hash of everything that a partition is made from."""
    return sha256_of({"code": code_version, "settings": dict(settings), "inputs": dict(inputs)})


_DDL = """
create schema if not exists meta;
create table if not exists meta.partitions (
    table_name varchar not null,
    month date not null,
    fingerprint varchar not null,
    content_hash varchar not null,
    row_count bigint not null,
    code_version varchar not null,
    settings varchar not null,
    inputs varchar not null,
    computed_at timestamptz not null,
    slices varchar not null default '{}'
);
alter table meta.partitions add column if not exists slices varchar default '{}';
create table if not exists meta.parts (
    table_name varchar not null,
    slice date not null,
    tenant_id varchar not null,
    row_count bigint not null,
    content_hash varchar not null
);
"""


def record(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    month: date | None,
    *,
    made_from: str,
    content_hash: str,
    rows: int,
    code_version: str,
    settings: Mapping[str, str],
    inputs: Mapping[str, str],
    slices: Mapping[str, str] | None = None,
) -> None:
    """Put a partition (or a table without months) on record, in the caller's transaction."""
    connection.execute(_DDL)
    held = month or NO_MONTH
    connection.execute("delete from meta.partitions where table_name = ? and month = ?", [table.qualified, held])
    connection.execute(
        "insert into meta.partitions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            table.qualified,
            held,
            made_from,
            content_hash,
            rows,
            code_version,
            canonical_json(dict(settings)),
            canonical_json(dict(inputs)),
            clock.now(),
            canonical_json(dict(slices or {})),
        ],
    )


def record_parts(connection: duckdb.DuckDBPyConnection, table: Table, days: Sequence[date], parts: Sequence[Part]) -> None:
    """Put the parts of some written slices on record, in the caller's transaction."""
    connection.execute(
        "delete from meta.parts where table_name = $table and list_contains($days, slice)",
        {"table": table.qualified, "days": list(days)},
    )
    columns = {
        "tenants": [part.names[0] for part in parts],
        "days": [part.names[1] for part in parts],
        "rows": [part.rows for part in parts],
        "hashes": [part.content_hash for part in parts],
    }
    connection.execute(
        "insert into meta.parts select $table, unnest($days::date[]), unnest($tenants::varchar[]), unnest($rows::bigint[]),"
        " unnest($hashes::varchar[])",
        {"table": table.qualified, **columns},
    )


def parts_on_record(connection: duckdb.DuckDBPyConnection, table: Table, days: Sequence[date]) -> list[Part]:
    """Return the parts of some slices as they were written; a slice of an earlier release has none."""
    connection.execute(_DDL)
    found = connection.execute(
        "select tenant_id, slice, row_count, content_hash from meta.parts"
        " where table_name = $table and list_contains($days, slice)",
        {"table": table.qualified, "days": list(days)},
    ).fetchall()
    return [Part((tenant, day), rows, digest) for tenant, day, rows, digest in found]


def refresh(connection: duckdb.DuckDBPyConnection, settings: Settings, month: date | None = None) -> None:
    """Copy the records of a month (or of all months) into files beside the warehouse, where they differ; after commit."""
    only = "" if month is None else " where month = $month"
    given = {} if month is None else {"month": month}
    by_month: dict[str, dict[str, Any]] = defaultdict(lambda: {"partitions": {}, "slices": {}})
    connection.execute(_DDL)
    rows = connection.execute(
        "select table_name, month, fingerprint, content_hash, row_count, code_version, settings, inputs,"
        f" strftime(computed_at, '%Y-%m-%dT%H:%M:%S.%fZ'), slices from meta.partitions{only} order by table_name, month",
        given,
    ).fetchall()
    for name, held_month, made_from, content, count, version, used_settings, inputs, computed_at, kept in rows:
        held = PartitionRecord(
            made_from, content, count, version, json.loads(used_settings), json.loads(inputs), computed_at, json.loads(kept)
        )
        by_month[_label(held_month)]["partitions"][name] = vars(held)
    of_slices = f"select source, month, hash from meta.slices{only} order by source, month"
    # Asking whether there are any slices yet would list all tables, at each step of each run.
    with suppress(duckdb.CatalogException):
        for name, held_month, slice_hash in connection.execute(of_slices, given).fetchall():
            by_month[months.label(held_month)]["slices"][name] = slice_hash
    for label, records in by_month.items():
        write_if_changed(settings.catalog_path / f"{label}.json", _text(records))
    stale = [] if month else [file for file in _files(settings) if file.stem not in by_month]
    for file in stale:
        file.unlink()


def _label(month: date) -> str:
    return WHOLE if month == NO_MONTH else months.label(month)


def _files(settings: Settings) -> list[Path]:
    """Return the files that are on record, a month each, and that of tables without months."""
    return sorted([*settings.catalog_path.glob("????-??.json"), *settings.catalog_path.glob(f"{WHOLE}.json")])


def _text(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a month's records as JSON with a line for each: indented throughout, it would take three times as long to write.

    A month that is kept by day and part names some thousand slices, and each step of a run renews the file.
    """
    parts = []
    for kind, named in sorted(records.items()):
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in sorted(named.items()))
        parts.append(f"{json.dumps(kind)}: {{\n{lines}\n}}")
    return "{" + ",\n".join(parts) + "}\n"


def read_catalog(settings: Settings) -> Catalog:
    """Return what is on record, from the files beside the warehouse; the warehouse is not opened."""
    partitions: dict[str, PartitionRecord] = {}
    slices: dict[str, str] = {}
    for file in _files(settings):
        stat = file.stat()
        of_month = _read_month(file, stat.st_mtime_ns, stat.st_ino)
        partitions.update(of_month.partitions)
        slices.update(of_month.slices)
    return Catalog(partitions, slices)


@lru_cache(maxsize=512)
def _read_month(file: Path, modified: int, inode: int) -> Catalog:
    """Parse a month's file; each replacement has another time and inode, so what is kept is never old."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return Catalog(
        {f"{name}@{file.stem}": PartitionRecord(**values) for name, values in content["partitions"].items()},
        {f"{name}@{file.stem}": slice_hash for name, slice_hash in content["slices"].items()},
    )
