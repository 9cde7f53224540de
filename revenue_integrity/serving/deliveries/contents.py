"""What there is to deliver: datasets, their months, the hash of what each holds now, and their rows.

Belongs here: finding that in what is published or signed. Does not belong here: what of it a database lacks (``delivering``),
how it looks there (``shape``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.computing.horizon import delivered_months
from revenue_integrity.computing.publication_tables import checks_table
from revenue_integrity.desk.evidence import Evidence, OpenEvidence
from revenue_integrity.errors import PublishError, SettingsError, no_such
from revenue_integrity.landing.datasets import batches_table, corrections_table, data_rules_table, quarantine_table
from revenue_integrity.model.dataset import Composed
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.serving.derived import DERIVED
from revenue_integrity.serving.export import Asked, rows_of
from revenue_integrity.serving.tenants import identifier
from revenue_integrity.settings import Delivery, Settings
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.former_names import with_present_names
from revenue_integrity.warehouse.hashing import canonical_digest, canonical_digests
from revenue_integrity.warehouse.storage import arrow_schema, hash_of_slices, slices_of_parts

_MANIFESTS = (batches_table, quarantine_table, corrections_table, data_rules_table)

Rows = Callable[[], pa.Table]
Digests = Callable[[duckdb.DuckDBPyConnection, pa.Table], list[str]]


@dataclass(frozen=True, eq=False)
class Content:
    """A month of a dataset, or a dataset without months, as it is to stand in a database.

    Attributes:
        table: the dataset.
        month: the month; ``None`` without.
        content_hash: of what it holds.
        version: the signed version, where that is what is delivered.
        read: its rows, under the names of their columns of today.
        digests: the content hashes that such rows may have, by the names that their columns had in this release and the one
            before; ``None`` where the hash is one of files.
    """

    table: Table
    month: date | None
    content_hash: str
    version: int | None
    read: Rows
    digests: Digests | None

    @property
    def named(self) -> str:
        """Dataset and month as people write them."""
        return f"{self.table.name} {months.label(self.month)}" if self.month else self.table.name

    def rows(self) -> pa.Table:
        """Return its rows with exactly the declared columns and types; a column that their file lacks is null.

        Raises:
            PublishError: it was published anew meanwhile.
        """
        return declared(self.table, self.read())


def _only(tables: Sequence[Table], names: dict[str, Table]) -> list[Table]:
    return [table for table in tables if table.name in names]


def declared(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows with exactly the columns and types that a table declares; a column that they lack is null."""
    schema = arrow_schema(table)
    for field in schema:
        if field.name not in rows.schema.names:
            rows = rows.append_column(field.name, pa.nulls(len(rows), field.type))
    return rows.select(table.columns).cast(schema)


def tables_of(deployment: Deployment, delivery: Delivery) -> list[Table]:
    """Return the datasets that a delivery brings, each once: those without months first, as what has months refers to them.

    Raises:
        SettingsError: it selects a dataset that there is not.
    """
    every: dict[str, Table] = {}
    chosen: dict[str, Table] = {}
    for stream in deployment.streams:
        wanted = not delivery.select.streams or stream.name in delivery.select.streams
        for table in _datasets(stream):
            every.setdefault(table.name, table)
            if wanted and (delivery.tenant is None or table.part_columns):
                chosen.setdefault(table.name, table)
    for derived in DERIVED:
        every.setdefault(derived.table.name, derived.table)
        if not delivery.select.streams and delivery.tenant is None:
            chosen.setdefault(derived.table.name, derived.table)
    for name in (*delivery.select.datasets, *(each for named in delivery.readers.values() for each in named)):
        if name not in every:
            error = no_such("dataset", name, sorted(every), "Datasets")
            raise SettingsError(f"deliveries {delivery.name}: {error.reason}", error.next_step)
    named = delivery.select.datasets
    # What is derived from the record of runs takes long to derive, and is brought where somebody asks for it by name.
    derived_names = {each.table.name for each in DERIVED}
    return [table for name, table in chosen.items() if name in named or (not named and name not in derived_names)]


def _datasets(stream: Stream) -> list[Table]:
    """Return the datasets of a stream: dimensions, what belongs to no month, then months in the order of their rules."""
    whole = [rule.table for rule in stream.whole]
    made = [each.table for each in _of_manifests(stream)]
    return [*whole, *(make(stream.name) for make in _MANIFESTS), *stream.published_tables, checks_table(stream), *made]


def contents(
    deployment: Deployment,
    delivery: Delivery,
    wanted: Sequence[date] | None = None,
    open_evidence: OpenEvidence | None = None,
) -> list[Content]:
    """Return what a delivery brings, as it stands now: datasets without months first, then month by month, the oldest first.

    With months, theirs alone, and what belongs to none. What is derived from the record of runs (``close_status``) is there
    where something to open that with is given.

    Raises:
        SettingsError: the delivery selects a dataset that there is not.
    """
    found: list[Content] = []
    tables = {table.name: table for table in tables_of(deployment, delivery)}
    streams = [each for each in deployment.streams if not delivery.select.streams or each.name in delivery.select.streams]
    settings = deployment.settings
    found += _without_months(settings, streams, tables)
    signed = _signed(deployment) if delivery.when == "signed" else {}
    for stream in streams:
        own = _only(stream.published_tables, tables)
        if delivery.when == "signed":
            found += _of_signed(settings, stream, own, signed, delivery.tenant)
            continue
        found += _of_published(settings, stream, own, delivery.tenant)
        found += [each for table in _only([checks_table(stream)], tables) for each in _of_checks(settings, table)]
    for stream in streams:
        found += _made(deployment, stream, tables)
    found += _derived(deployment, tables, open_evidence) if open_evidence else []
    order = {name: place for place, name in enumerate(tables)}
    return sorted(
        (each for each in found if wanted is None or each.month is None or each.month in wanted),
        key=lambda each: (each.month or date.min, order[each.table.name]),
    )


def _without_months(settings: Settings, streams: Sequence[Stream], tables: dict[str, Table]) -> Iterator[Content]:
    """Yield what belongs to no month; no sign-off attests it, so it is delivered as it is published."""
    for stream in streams:
        for rule in stream.whole:
            if rule.table.name in tables:
                yield from _of_files(rule.table, [publish.directory_of(settings, rule.table, None) / "data.parquet"])
    for make in _MANIFESTS:
        parts = [make(stream.name) for stream in streams]
        if parts and parts[0].name in tables:
            files = [publish.directory_of(settings, each, None) / "data.parquet" for each in parts]
            yield from _of_files(parts[0], files)


def _of_files(table: Table, files: Sequence[Path]) -> Iterator[Content]:
    """Yield what some files hold together, those that there are; the hash of several is one of theirs."""
    facts = {file: found for file in files if (found := publish.facts_of(file))}
    if not facts:
        return
    hashes = [each.content_hash for each in facts.values()]
    alone = len(files) == 1

    def read() -> pa.Table:
        if any(publish.facts_of(file) != found for file, found in facts.items()):
            raise _published_anew(table.name)
        return pa.concat_tables([declared(table, with_present_names(table, _file(file))) for file in facts])

    yield Content(
        table, None, hashes[0] if alone else sha256_of(hashes), None, read, _digests(table, None, None) if alone else None
    )


def _of_published(settings: Settings, stream: Stream, tables: Sequence[Table], tenant: str | None) -> Iterator[Content]:
    for month in publish.published_months(settings, stream.name):
        closed = publish.closed_hashes(settings, stream.name, month)
        parts = publish.closed_parts(settings, stream.name, month)
        for table in tables:
            if table.name in closed:
                hashes = parts[table.name].hashes if table.name in parts else {}
                yield _published(settings, stream, table, month, closed[table.name], hashes, tenant)


def _of_checks(settings: Settings, table: Table) -> Iterator[Content]:
    """Yield what checks say, which is published whatever they say, also of a month that is not."""
    for file in sorted((settings.published_path / table.name).glob("month=*/data.parquet")):
        month = months.parse(file.parent.name.partition("=")[2])
        yield from (replace(found, month=month) for found in _of_files(table, [file]))


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
            raise _published_anew(f"{table.name} {months.label(month)}")
        chosen = [file for file in files if own is None or file.parent.parent.name == place.rstrip("/")]
        if own is not None and not chosen:
            return arrow_schema(table).empty_table()
        return with_present_names(table, publish.rows_of_files(settings, table.name, chosen))

    if own is not None:
        of_tenant = {part: found for part, found in parts.items() if part.startswith(place)}
        return Content(table, month, sha256_of(of_tenant), None, read, _digests(table, month, own))
    return Content(table, month, content_hash, None, read, _digests(table, month, None))


def _made(deployment: Deployment, stream: Stream, tables: Mapping[str, Table]) -> Iterator[Content]:
    """Yield what is put together of manifests when somebody asks: it has no hash of its own, and so that of its inputs."""
    settings = deployment.settings
    for dataset in _of_manifests(stream):
        read = [publish.directory_of(settings, each, None) / "data.parquet" for each in dataset.reads]
        inputs = [facts.content_hash for file in read if (facts := publish.facts_of(file))]
        if dataset.table.name in tables and len(inputs) == len(read):
            yield Content(dataset.table, None, sha256_of(inputs), None, partial(_rows_made, deployment, dataset), None)


def _of_manifests(stream: Stream) -> list[Composed]:
    """Return what a stream puts together of tables that belong to no month."""
    composed = [each for each in stream.composed if isinstance(each, Composed)]
    return [each for each in composed if not any(table.partition for table in (*each.reads, *each.if_published))]


def _rows_made(deployment: Deployment, dataset: Composed) -> pa.Table:
    asked = Asked(deployment, deployment.streams, None, None, False, None, _silently, _no_evidence)
    return _of_frame(dataset.table, rows_of(dataset, asked))


def _silently(_: str) -> None:
    """Say nothing: nobody waits for a delivery."""


def _no_evidence(_: Deployment) -> AbstractContextManager[Evidence]:
    raise RuntimeError("nothing that a stream puts together rests on the record of runs")


def _derived(deployment: Deployment, tables: Mapping[str, Table], open_evidence: OpenEvidence) -> Iterator[Content]:
    """Yield what is derived from the close as it stands: it has no inputs of its own, and so the hash of its rows."""
    wanted = delivered_months(deployment.settings)
    for dataset in DERIVED:
        table = dataset.table
        if table.name not in tables or not wanted:
            continue
        rows = _of_frame(table, dataset.read(deployment, open_evidence, wanted))
        for month in wanted if table.partition in table.columns else [None]:
            own = rows if month is None else rows.filter(pc.equal(rows.column(table.partition), month))
            digests = _digests(table, month, None)
            with publish.verifying() as work:
                (digest,) = digests(work, own)
            yield Content(table, month, digest, None, partial(_itself, own), digests)


def _itself(rows: pa.Table) -> pa.Table:
    return rows


def _of_frame(table: Table, frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame[table.columns], schema=arrow_schema(table), preserve_index=False)


def _signed(deployment: Deployment) -> dict[tuple[str, str], Entry]:
    """Return the latest approval of each month of each book; what was signed before there were books has an empty one."""
    return {
        (entry.book, entry.month): entry
        for entry in Ledger(deployment.settings).entries()
        if entry.action == Action.APPROVE and freeze.is_frozen(deployment.settings, entry)
    }


def _of_signed(
    settings: Settings, stream: Stream, tables: Sequence[Table], signed: dict[tuple[str, str], Entry], tenant: str | None
) -> Iterator[Content]:
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
            digests = _digests(table, month, None) if facts and own is None else None
            yield Content(table, month, content_hash, entry.version, _frozen(settings, entry, table, own), digests)


def _frozen(settings: Settings, entry: Entry, table: Table, tenant: str | None) -> Rows:
    def read() -> pa.Table:
        rows = freeze.frozen_rows(settings, entry, table)
        return rows if tenant is None else rows.filter(pc.equal(rows.column("tenant_id"), tenant))

    return read


def _digests(table: Table, month: date | None, tenant: str | None) -> Digests:
    """Return what computes the content hash of rows as publishing did, from the columns that they have."""

    def digests(work: duckdb.DuckDBPyConnection, rows: pa.Table) -> list[str]:
        own = table.only([name for name in table.columns if name in rows.schema.names])
        formerly = replace(own, hashed_as={**own.hashed_as, **own.formerly})
        work.register("delivered_rows", rows)
        return [_digest(work, each, month, tenant) for each in ([own, formerly] if own.formerly else [own])]

    return digests


def _digest(connection: duckdb.DuckDBPyConnection, table: Table, month: date | None, tenant: str | None) -> str:
    """Return the content hash of the registered rows, in slices and parts where the table is kept so."""
    if tenant is not None and month is not None:
        parts = canonical_digests(connection, table, "delivered_rows", table.part_columns)
        return sha256_of({publish.part_of(table, month, each.names): each.content_hash for each in parts})
    if not table.slice_column:
        return canonical_digest(connection, table, "delivered_rows")
    by = table.part_columns if table.published_slices else (table.slice_column,)
    found = canonical_digests(connection, table, "delivered_rows", by)
    return hash_of_slices(slices_of_parts(found) if table.published_slices else {f"{day}": each for (day,), _, each in found})


def _file(file: Path) -> pa.Table:
    return pq.ParquetFile(file).read()


def _published_anew(what: str) -> PublishError:
    return PublishError(f"{what} was published anew at this moment", "Deliver again")
