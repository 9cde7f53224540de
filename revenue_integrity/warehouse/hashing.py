r"""Content hashes: what a partition holds, as one SHA-256.

Belongs here: the canonical text of a row and the hash over rows in key order. Does not belong here: hashes of inputs.

The definition, so that another engine can compute the same: the first line holds the column names in order, then follows a
line per row in key order (text compares by its UTF-8 bytes). Fields are joined by a tab, lines end with a newline. Null is
``\N``; text has backslash, tab, newline and carriage return escaped as ``\\ \t \n \r``; a decimal has all places of its
type; a flag is ``true`` or ``false``; a date is ``YYYY-MM-DD``; an instant is its microseconds since 1970-01-01 UTC.
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import duckdb

from revenue_integrity.model.table import Table

_ROWS_PER_BATCH = 100_000
"""Rows whose text is in memory at once: some 20 MB."""

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
"""What is escaped in text, and how; the backslash first, for the others bring one."""


class Part(NamedTuple):
    """Some rows of a table: the values that name them, their count, and the SHA-256 of their content."""

    names: tuple[Any, ...]
    rows: int
    content_hash: str


def escaped(text: str) -> str:
    """Return the expression of a text in which what would end a field or a line is escaped."""
    escaping = text
    for raw, written in _ESCAPES.items():
        escaping = f"replace({escaping}, '{raw}', '{written}')"
    # To look for a character costs much less than to replace it, and text with any of them is rare.
    usual = " and ".join(f"not contains({text}, '{raw}')" for raw in _ESCAPES)
    return f"case when {usual} then {text} else {escaping} end"


def _field(column: str, sql_type: str) -> str:
    quoted = f'"{column}"'
    if sql_type == "VARCHAR":
        text = escaped(quoted)
    elif sql_type == "TIMESTAMP WITH TIME ZONE":
        text = f"epoch_us({quoted})::varchar"
    else:
        text = f"{quoted}::varchar"
    return f"coalesce({text}, '\\N')"


def canonical_select(table: Table, rows: str, *, alike_in: Sequence[str] = ()) -> str:
    """Return the ``select`` of the canonical line of each row of ``rows`` (a table, or a filtered one), in key order.

    ``alike_in`` names columns that have one value in all of the rows.
    """
    # Joined at once, its end included: each || would build the text again, a little longer. No field is null.
    fields = ", chr(9), ".join(_field(column, table.sql_type(column)) for column in content_columns(table))
    return f"select concat({fields}, chr(10)) as line from {rows}{ordered_by(table.identity, alike_in)}"


def ordered_by(columns: Sequence[str], alike_in: Sequence[str] = ()) -> str:
    """Return the ``order by`` of some columns, without those that have one value in all rows, which order nothing.

    The engine does not know that they have, and compares them for each pair of rows before it comes to what differs.
    """
    differing = ", ".join(f'"{column}"' for column in columns if column not in alike_in)
    return f" order by {differing}" if differing else ""


def content_columns(table: Table) -> list[str]:
    """Return the columns that are content."""
    return [column for column in table.columns if column not in table.content_excludes]


def content_hash(connection: duckdb.DuckDBPyConnection, table: Table, partition: date | None) -> str:
    """Return the SHA-256 of a partition's content; without one, of all that a table without months holds."""
    if partition is None:
        return canonical_digest(connection, table, table.qualified)
    rows = f'{table.qualified} where "{table.partition}" = $partition'
    return canonical_digest(connection, table, rows, alike_in=(table.partition,), partition=partition)


def canonical_digest(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: str, *, alike_in: Sequence[str] = (), **parameters: object
) -> str:
    """Return the SHA-256 of some rows. They stay in the engine; only their text passes by, batch by batch.

    ``alike_in`` names columns that have one value in all of the rows.
    """
    digest = _begun(table)
    text = canonical_select(table, rows, alike_in=alike_in)
    for batch in connection.sql(text, params=parameters).to_arrow_reader(_ROWS_PER_BATCH):
        lines = batch.column(0)
        if len(lines):
            digest.update(text_of(lines))
    return digest.hexdigest()


def empty_digest(table: Table) -> str:
    """Return the SHA-256 of no rows at all."""
    return _begun(table).hexdigest()


def canonical_digests(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: str, by: Sequence[str], **parameters: object
) -> list[Part]:
    """Return each part of some rows, in the order of its values of ``by``.

    One query for all parts; each digest is the one that ``canonical_digest`` gives for the part alone.
    """
    names = ", ".join(f'"{column}"' for column in by)
    counts = connection.execute(f"select {names}, count(*) from {rows} group by {names} order by {names}", parameters).fetchall()
    text = canonical_select(table, rows, alike_in=table.identity)
    in_order = ordered_by([*by, *(column for column in table.identity if column not in by)])
    lines = connection.sql(f"{text}{in_order}", params=parameters).to_arrow_reader(_ROWS_PER_BATCH)
    found = []
    batch, taken = None, 0
    for *values, count in counts:
        digest, missing = _begun(table), count
        while missing:
            if batch is None or taken == len(batch):
                batch, taken = next(lines).column(0), 0
                continue
            step = min(missing, len(batch) - taken)
            digest.update(text_of(batch.slice(taken, step)))
            missing, taken = missing - step, taken + step
        found.append(Part(tuple(values), count, digest.hexdigest()))
    return found


def _begun(table: Table) -> "hashlib._Hash":
    names = [table.hashed_as.get(column, column) for column in content_columns(table)]
    return hashlib.sha256(("\t".join(names) + "\n").encode())


def text_of(lines: Any) -> memoryview:
    """Return the text of an Arrow string column that has values, one behind the other: no copy, no loop."""
    import pyarrow as pa

    wide = lines.cast(pa.large_string())
    _, offsets, values = wide.buffers()
    positions = memoryview(offsets).cast("q")
    return memoryview(values)[positions[wide.offset] : positions[wide.offset + len(wide)]]
