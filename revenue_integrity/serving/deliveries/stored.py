"""What there is to deliver in files: published months, signed versions, what belongs to no month.

Belongs here: finding it with the hash of what it holds. Does not belong here: which datasets a delivery brings (``contents``),
what is made when somebody asks (``made``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.serving.deliveries.content import Content, Rows, declared, digests_of, published_anew
from revenue_integrity.serving.tenants import identifier
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.former_names import with_present_names
from revenue_integrity.warehouse.storage import arrow_schema


def of_files(table: Table, files: Sequence[Path]) -> Iterator[Content]:
    """Yield what some files hold together, those that there are; the hash of several is one of theirs."""
    facts = {file: found for file in files if (found := publish.facts_of(file))}
    if not facts:
        return
    hashes = [each.content_hash for each in facts.values()]
    alone = len(files) == 1

    def read() -> pa.Table:
        if any(publish.facts_of(file) != found for file, found in facts.items()):
            raise published_anew(table.name)
        return pa.concat_tables([declared(table, with_present_names(table, _file(file))) for file in facts])

    yield Content(
        table, None, hashes[0] if alone else sha256_of(hashes), None, read, digests_of(table, None, None) if alone else None
    )


def of_published(settings: Settings, stream: Stream, tables: Sequence[Table], tenant: str | None) -> Iterator[Content]:
    """Yield the published months of some tables of a stream, or what one tenant has of them."""
    for month in publish.published_months(settings, stream.name):
        closed = publish.closed_hashes(settings, stream.name, month)
        parts = publish.closed_parts(settings, stream.name, month)
        for table in tables:
            if table.name in closed:
                hashes = parts[table.name].hashes if table.name in parts else {}
                yield _published(settings, stream, table, month, closed[table.name], hashes, tenant)


def of_checks(settings: Settings, table: Table) -> Iterator[Content]:
    """Yield what checks say, which is published whatever they say, also of a month that is not."""
    for file in sorted((settings.published_path / table.name).glob("month=*/data.parquet")):
        month = months.parse(file.parent.name.partition("=")[2])
        yield from (replace(found, month=month) for found in of_files(table, [file]))


def _published(
    settings: Settings,
    stream: Stream,
    table: Table,
    month: date,
    content_hash: str,
    parts: Mapping[str, str],
    tenant: str | None,
) -> Content:
    own = identifier(tenant) if tenant is not None else None
    place = f"{publish.tenant_directory(own)}/" if own is not None else ""

    def read() -> pa.Table:
        files = publish.files_together(settings, stream.name, month, [table.name])[table.name]
        if publish.closed_hashes(settings, stream.name, month)[table.name] != content_hash:
            raise published_anew(f"{table.name} {months.label(month)}")
        chosen = [file for file in files if own is None or file.parent.parent.name == place.rstrip("/")]
        if own is not None and not chosen:
            return arrow_schema(table).empty_table()
        return with_present_names(table, publish.rows_of_files(settings, table.name, chosen))

    if own is not None:
        of_tenant = {part: found for part, found in parts.items() if part.startswith(place)}
        return Content(table, month, sha256_of(of_tenant), None, read, digests_of(table, month, own))
    return Content(table, month, content_hash, None, read, digests_of(table, month, None))


def approvals(deployment: Deployment) -> dict[tuple[str, str], Entry]:
    """Return the latest approval of each month of each book; what was signed before there were books has an empty one."""
    return {
        (entry.book, entry.month): entry
        for entry in Ledger(deployment.settings).entries()
        if entry.action == Action.APPROVE and freeze.is_frozen(deployment.settings, entry)
    }


def of_signed(
    settings: Settings, stream: Stream, tables: Sequence[Table], signed: dict[tuple[str, str], Entry], tenant: str | None
) -> Iterator[Content]:
    """Yield the months of some tables of a stream as their latest signed versions have them, or what one tenant has of them."""
    book = next((name for name, declared in settings.books.items() if stream.name in declared.streams), stream.name)
    own = identifier(tenant) if tenant is not None else None
    for month in publish.published_months(settings, stream.name):
        entry = signed.get((book, months.label(month))) or signed.get(("", months.label(month)))
        files = freeze.read_manifest(settings, entry)["files"] if entry else {}
        for table in tables:
            listed = files.get(f"{table.name}.parquet")
            if entry is None or listed is None:
                continue
            file = freeze.place_of(settings, entry) / f"{table.name}.parquet"
            facts = publish.facts_of(file) if publish.has_facts(file) else None
            content_hash = facts.content_hash if facts and own is None else sha256_of([listed["sha256"], own or ""])
            digests = digests_of(table, month, None) if facts and own is None else None
            yield Content(table, month, content_hash, entry.version, _frozen(settings, entry, table, own), digests)


def _frozen(settings: Settings, entry: Entry, table: Table, tenant: str | None) -> Rows:
    def read() -> pa.Table:
        rows = freeze.frozen_rows(settings, entry, table)
        return rows if tenant is None else rows.filter(pc.equal(rows.column("tenant_id"), tenant))

    return read


def _file(file: Path) -> pa.Table:
    return pq.ParquetFile(file).read()
