"""Publishing a month of a stream: whether it may be, and what leaves the warehouse.

Belongs here: the decision, given what the checks say; which tables are published, what is signed of them, whether what is
published is what was computed. Does not belong here: the layout of files (``warehouse.publish``), evaluating checks, Dagster.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from revenue_integrity import months
from revenue_integrity.computing import ingestion
from revenue_integrity.computing.manifests import publish_frame, publish_manifest
from revenue_integrity.computing.publication_tables import checks_table, publication_table
from revenue_integrity.computing.versions import judged_tables
from revenue_integrity.model.check import MONTH_MAY_BE_PUBLISHED, CheckRecord, Gate
from revenue_integrity.model.query import listed_days
from revenue_integrity.model.signed import SignedTable
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database, publish
from revenue_integrity.warehouse.hashing import canonical_digest, canonical_digests, content_hash, empty_digest, ordered_by
from revenue_integrity.warehouse.parts import others, publish_parts, remove_others
from revenue_integrity.warehouse.storage import arrow_schema, ensure_table, hash_of_slices

if TYPE_CHECKING:
    import duckdb

_NEXT_STEP = "Open the failed checks for what to do; what was published before stays until they pass."


@dataclass(frozen=True)
class Publication:
    """What became of an attempt to publish a month.

    Attributes:
        month: the month.
        standing: the checks of gate write or publish that stand in the way; whatever there are, nothing was published.
        hashes: the content hash of each published dataset.
        renewed: how many of the datasets are new.
    """

    month: date
    standing: Sequence[CheckRecord] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)
    renewed: int = 0

    @property
    def next_step(self) -> str:
        """What to do where it was refused."""
        return _NEXT_STEP if self.standing else ""

    @property
    def refused(self) -> str:
        """Why it was refused and what to do, as a sentence; empty where it was not."""
        names = ", ".join(f"{each.name} of {each.table} ({each.state})" for each in self.standing)
        return f"{months.label(self.month)} is not published: {names}. {_NEXT_STEP}" if names else ""


def attempt(settings: Settings, stream: Stream, month: date, results: Sequence[CheckRecord]) -> Publication:
    """Publish a month of a stream unless a check of gate write or publish stands in the way; what the checks say, always.

    What they say is how people see why a month is not published.
    """
    standing = [each for each in results if each.gate in (Gate.WRITE, Gate.PUBLISH) and not each.holds]
    publish_manifest(settings, stream)
    own = CheckRecord(
        *publication_table(stream.name).asset_key,
        MONTH_MAY_BE_PUBLISHED.name,
        MONTH_MAY_BE_PUBLISHED.gate,
        "failed" if standing else "passed",
        {"checks_in_the_way": len(standing)},
    )
    with database.connect(settings) as connection:
        publish_frame(connection, settings, checks_table(stream), month, check_rows(stream, month, [*results, own]))
    if standing:
        return Publication(month, standing)
    hashes, renewed = publish_month(settings, stream, stream.published_tables, month, results)
    return Publication(month, (), hashes, renewed)


def publish_month(
    settings: Settings, stream: Stream, tables: Sequence[Table], month: date, results: Sequence[CheckRecord]
) -> tuple[dict[str, str], int]:
    """Publish a month of some tables; return each dataset's hash, and how many of them are new."""
    known = catalog.read_catalog(settings)
    manifest = ingestion.read_manifest(settings, stream)
    label = months.label(month)
    touching = sorted({tuple(each) for name, found in manifest.touching.items() if name.endswith(f"@{label}") for each in found})
    as_of = ingestion.latest_arrival(settings, stream)
    hashes: dict[str, str] = {}
    parts: dict[str, publish.Parts] = {}
    renewed = 0
    with database.connect(settings) as connection:
        if stream.before_publish:
            stream.before_publish(connection, settings, month)
        for each in tables:
            held = _held(connection, stream, each, known, month)
            if held is None:
                continue
            hashes[each.name], slices, code_version = held
            facts: dict[str, Any] = {"content_hash": hashes[each.name], "as_of": as_of, "code_version": code_version}
            facts |= {
                "batches": touching,
                "checks": [result.plain for result in results if (result.layer, result.table) == (each.layer, each.name)],
            }
            if each.part_columns:
                parts[each.name], new = publish_parts(connection, settings, each, month, slices=slices, **facts)
                renewed += new > 0
            else:
                renewed += publish.publish(settings, each, month, _rows(connection, each, month), **facts)
        signed: dict[str, str] = {}
        signed_slices: dict[str, dict[str, str]] = {}
        for attested in stream.signed:
            name = attested.table.name
            if name in hashes and attested.table.slice_column:
                signed_slices[name] = _signed_slices(connection, settings, attested, month, parts[name].slices)
                signed[name] = _digest_of_slices(attested, signed_slices[name])
            elif name in hashes:
                signed[name] = signed_digest(connection, attested, month)
        close = partial(
            publish.close_month,
            settings,
            stream.name,
            month,
            hashes,
            signed,
            as_of=as_of,
            parts=parts,
            signed_slices=signed_slices,
            judged=judged_tables(stream, settings),
        )
        left = [each for each in tables if each.name in parts and others(settings, each, month, parts[each.name])]
        if left or stream.after_publish:
            close(unfinished=True)
        for each in left:
            remove_others(settings, each, month, parts[each.name])
        if stream.after_publish:
            stream.after_publish(connection, settings, month)
    close()
    return hashes, renewed


def _held(
    connection: "duckdb.DuckDBPyConnection", stream: Stream, table_: Table, known: catalog.Catalog, month: date
) -> tuple[str, Mapping[str, str], str] | None:
    """Return what the warehouse holds of a table's month: content hash, hashes of its slices, code version."""
    if table_ in stream.ledgers:
        ensure_table(connection, table_)
        return content_hash(connection, table_, month), {}, ""
    record = known.partition(table_.qualified, month)
    return None if record is None else (record.content_hash, record.slices, record.code_version)


def is_published(settings: Settings, stream: Stream, month: date, known: catalog.Catalog) -> bool:
    """Return whether what is published of a stream's month is what the warehouse holds, and nothing is left to do behind it.

    A ledger is filled by publishing alone: what is published of it is what the warehouse holds.
    """
    present = {rule.table.name: known.content_hash(rule.table.qualified, month) for rule in stream.rules}
    ledgers = {each.name for each in stream.ledgers}
    closed = publish.closed_hashes(settings, stream.name, month)
    made = {name: recorded for name, recorded in closed.items() if name not in ledgers}
    return made == present and publish.is_finished(settings, stream.name, month)


_SIGNED_COLUMNS = "columns"


def _signed_slices(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, signed: SignedTable, month: date, slices: Mapping[str, str]
) -> dict[str, str]:
    """Return the digest of what is signed of each slice of a table's month; those of slices that are published are not made anew.

    With them stands the digest of no rows, which names the columns that are signed.
    """
    table_, columns = signed.table, empty_digest(signed.projection)
    held = publish.closed_parts(settings, table_.stream, month).get(table_.name, publish.Parts({}, {})).slices
    known = publish.signed_slices(settings, table_.stream, month).get(table_.name, {})
    if known.get(_SIGNED_COLUMNS) != columns:
        known = {}
    found = {day: known[day] for day in slices if day in known and held.get(day) == slices[day]}
    if days := [date.fromisoformat(day) for day in slices if day not in found]:
        rows, given = _signed_rows(signed, month)
        of_days = f'{rows} and "{table_.slice_column}" in ({listed_days(days)})'
        digests = canonical_digests(connection, signed.projection, of_days, [table_.slice_column], **given)
        found |= {f"{day}": digest for (day,), _, digest in digests}
    return found | {_SIGNED_COLUMNS: columns}


def _digest_of_slices(signed: SignedTable, slices: Mapping[str, str]) -> str:
    """Return the digest of what is signed of a month from those of its slices."""
    days = {day: digest for day, digest in slices.items() if day != _SIGNED_COLUMNS}
    return hash_of_slices(slices) if days else empty_digest(signed.projection)


def signed_digest(connection: "duckdb.DuckDBPyConnection", signed: SignedTable, month: date) -> str:
    """Return the digest of what is signed of a table's month, as the warehouse holds it."""
    rows, given = _signed_rows(signed, month)
    return canonical_digest(connection, signed.projection, rows, alike_in=(signed.table.partition,), **given)


def digest_of_rows(signed: SignedTable, rows: pa.Table) -> str:
    """Return the digest of what is signed of a table's month from its rows as they were published, under the names of today."""
    named = [*signed.projection.columns, *([signed.only[0]] if signed.only else [])]
    schema = arrow_schema(signed.table)
    chosen = rows.select(dict.fromkeys(named)).cast(pa.schema([schema.field(name) for name in dict.fromkeys(named)]))
    given: dict[str, object] = {} if signed.only is None else {"value": signed.only[1]}
    held = "signed_rows" if signed.only is None else f'signed_rows where "{signed.only[0]}" = $value'
    with publish.verifying() as connection:
        connection.register("signed_rows", chosen)
        if not signed.table.slice_column:
            return canonical_digest(connection, signed.projection, held, alike_in=(signed.table.partition,), **given)
        parts = canonical_digests(connection, signed.projection, held, [signed.table.slice_column], **given)
    slices = {f"{day}": digest for (day,), _, digest in parts}
    return _digest_of_slices(signed, slices | {_SIGNED_COLUMNS: empty_digest(signed.projection)})


def _signed_rows(signed: SignedTable, month: date) -> tuple[str, dict[str, object]]:
    rows = f'{signed.table.qualified} where "{signed.table.partition}" = $month'
    given: dict[str, object] = {"month": month}
    if signed.only is not None:
        column_name, value = signed.only
        rows, given = f'{rows} and "{column_name}" = $value', {**given, "value": value}
    return rows, given


def _rows(connection: "duckdb.DuckDBPyConnection", table_: Table, month: date) -> pa.Table:
    columns = ", ".join(f'"{name}"' for name in table_.columns)
    order = ordered_by(table_.key, (table_.partition,))
    sql = f'select {columns} from {table_.qualified} where "{table_.partition}" = $month{order}'
    return connection.sql(sql, params={"month": month}).to_arrow_table().cast(arrow_schema(table_))


def check_rows(stream: Stream, month: date, results: Sequence[CheckRecord]) -> pd.DataFrame:
    """Return results as rows of ``checks``, in key order."""
    rows = [
        {
            "month": pd.Timestamp(month).as_unit("us"),
            "table_name": each.table,
            "check_name": each.name,
            "gate": each.gate.value,
            "state": each.state,
            "figures": json.dumps(dict(each.figures), ensure_ascii=False, sort_keys=True, default=str),
            "next_step": each.next_step,
        }
        for each in sorted(results, key=lambda each: (each.table, each.name))
    ]
    return pd.DataFrame(rows, columns=checks_table(stream).columns)
