"""What there is to deliver that stands in no file: datasets that are made whenever somebody asks.

Belongs here: what a stream puts together, what it reads out of its store by the million, what is derived from the close; each
with a hash that tells when it is another. Does not belong here: what is published or signed (``stored``), which datasets a
delivery brings (``contents``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity.canonical import sha256_of
from revenue_integrity.computing.horizon import delivered_months
from revenue_integrity.computing.staleness import hashes_read
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.files import unfinished
from revenue_integrity.model.dataset import Composed, Streamed
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.serving.deliveries.content import Content, declared, digests_of, published_anew
from revenue_integrity.serving.derived import DERIVED
from revenue_integrity.serving.tenants import identifier
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database, publish
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity.warehouse.storage import arrow_schema, exact_frame

ContentsOf = Callable[[Table], Sequence[Content]]
"""What is delivered of a table that something is put together of."""


def composed(settings: Settings, stream: Stream, tables: Mapping[str, Table], contents_of: ContentsOf) -> Iterator[Content]:
    """Yield what a stream puts together of its tables: it has no hash of its own, and so that of its inputs.

    Its inputs are what a delivery would bring of them: of one tenant, of what is signed.
    """
    for dataset in stream.composed:
        if not isinstance(dataset, Composed) or dataset.table.name not in tables:
            continue
        inputs = {table.name: contents_of(table) for table in (*dataset.reads, *dataset.if_published)}
        if all(inputs[table.name] for table in dataset.reads):
            hashes = [[each.named, each.content_hash] for found in inputs.values() for each in found]
            made_from = sha256_of([hashes, settings.values(*dataset.settings)])
            yield Content(dataset.table, None, made_from, None, partial(_put_together, settings, dataset, inputs), None)


def _put_together(settings: Settings, dataset: Composed, inputs: Mapping[str, Sequence[Content]]) -> pa.Table:
    frames = {name: _frame(found) for name, found in inputs.items()}
    return _of_frame(dataset.table, dataset.function(settings, **frames))


def _frame(found: Sequence[Content]) -> pd.DataFrame | None:
    rows = [declared(each.table, each.read()) for each in found if each.read is not None]
    return exact_frame(pa.concat_tables(rows)) if rows else None


def streamed(settings: Settings, stream: Stream, tables: Mapping[str, Table], tenant: str | None) -> Iterator[Content]:
    """Yield what a stream reads out of its store, of its published months; it has the hash of what the store holds for it."""
    datasets = [each for each in stream.composed if isinstance(each, Streamed) and each.table.name in tables]
    found = publish.published_months(settings, stream.name) if datasets else []
    own = identifier(tenant) if tenant is not None else None
    for dataset in datasets if found else ():
        for month in found if dataset.table.partition else [None]:
            made_from = _state(settings, dataset, month, own)
            spilled = partial(_spilled, settings, dataset, month, own, made_from)
            yield Content(dataset.table, month, made_from, None, None, None, spilled)


def _state(settings: Settings, dataset: Streamed, month: date | None, tenant: str | None) -> str:
    return sha256_of([hashes_read(dataset.reads, month or settings.months[-1], read_catalog(settings), settings), tenant])


@contextmanager
def _spilled(
    settings: Settings, dataset: Streamed, month: date | None, tenant: str | None, made_from: str, work: duckdb.DuckDBPyConnection
) -> Iterator[duckdb.DuckDBPyRelation]:
    """Show rows by the million out of a file of their own: nobody waits for the warehouse while a database is slow."""
    spill = settings.home / "tmp"
    spill.mkdir(parents=True, exist_ok=True)
    with unfinished(spill, dataset.table.name) as place:
        file = place / "rows.parquet"
        with database.connect(settings, read_only=True) as connection:
            if _state(settings, dataset, month, tenant) != made_from:
                raise published_anew(dataset.table.name)
            months = settings.months if month is None else [month]
            dataset.relation(connection, settings, months, tenant).write_parquet(str(file), compression="zstd")
        yield work.read_parquet(str(file))


def derived(deployment: Deployment, tables: Mapping[str, Table], open_evidence: OpenEvidence) -> Iterator[Content]:
    """Yield what is derived from the close as it stands: it has no inputs of its own, and so the hash of its rows."""
    wanted = delivered_months(deployment.settings)
    for dataset in DERIVED:
        table = dataset.table
        if table.name not in tables or not wanted:
            continue
        rows = _of_frame(table, dataset.read(deployment, open_evidence, wanted))
        for month in wanted if table.partition in table.columns else [None]:
            own = rows if month is None else rows.filter(pc.equal(rows.column(table.partition), month))
            digests = digests_of(table, month, None)
            with publish.verifying() as work:
                (digest,) = digests(work, own)
            yield Content(table, month, digest, None, partial(_itself, own), digests)


def _itself(rows: pa.Table) -> pa.Table:
    return rows


def _of_frame(table: Table, frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame[table.columns], schema=arrow_schema(table), preserve_index=False)
