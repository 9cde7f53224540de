"""A month of a dataset as it is to stand in a database: what it holds now, and how its rows are read.

Belongs here: that, and its content hash as publishing computes it. Does not belong here: finding it in what is published, signed
(``stored``) or made when somebody asks (``made``).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import pyarrow as pa

from revenue_integrity import months
from revenue_integrity.canonical import sha256_of
from revenue_integrity.errors import PublishError
from revenue_integrity.model.table import Table
from revenue_integrity.warehouse import publish
from revenue_integrity.warehouse.hashing import canonical_digest, canonical_digests
from revenue_integrity.warehouse.storage import arrow_schema, hash_of_slices, slices_of_parts

Rows = Callable[[], pa.Table]
"""Reads rows that fit into memory."""

Spilled = Callable[[duckdb.DuckDBPyConnection], AbstractContextManager[duckdb.DuckDBPyRelation]]
"""Shows rows by the million in an engine, out of a file that lasts as long."""

Digests = Callable[[duckdb.DuckDBPyConnection, pa.Table], list[str]]


@dataclass(frozen=True, eq=False)
class Content:
    """A month of a dataset, or a dataset without months, as it is to stand in a database.

    Attributes:
        table: the dataset.
        month: the month; ``None`` without.
        content_hash: of what it holds, or of what it is made from.
        version: the signed version, where that is what is delivered.
        read: its rows, under the names of their columns of today; of rows by the million what shows them without reading all.
        digests: the content hashes that such rows may have, by the names that their columns had in this release and the one
            before; ``None`` where the hash is one of files or of inputs.
    """

    table: Table
    month: date | None
    content_hash: str
    version: int | None
    read: Rows | None
    digests: Digests | None
    spilled: Spilled | None = None

    @property
    def named(self) -> str:
        """Dataset and month as people write them."""
        return f"{self.table.name} {months.label(self.month)}" if self.month else self.table.name

    @contextmanager
    def opened(self, work: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyRelation]:
        """Yield its rows in an engine with exactly the declared columns and types; a column that their file lacks is null.

        Raises:
            PublishError: it was published anew meanwhile.
        """
        if self.read is not None:
            yield work.from_arrow(declared(self.table, self.read()))
        elif self.spilled is not None:
            with self.spilled(work) as found:
                yield found.project(
                    ", ".join(f'"{name}"::{self.table.sql_type(name)} as "{name}"' for name in self.table.columns)
                )


def declared(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows with exactly the columns and types that a table declares; a column that they lack is null."""
    schema = arrow_schema(table)
    for field in schema:
        if field.name not in rows.schema.names:
            rows = rows.append_column(field.name, pa.nulls(len(rows), field.type))
    return rows.select(table.columns).cast(schema)


def digests_of(table: Table, month: date | None, tenant: str | None) -> Digests:
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


def published_anew(what: str) -> PublishError:
    """Return the error of a delivery that reads what is replaced at this moment."""
    return PublishError(f"{what} was published anew at this moment", "Deliver again")
