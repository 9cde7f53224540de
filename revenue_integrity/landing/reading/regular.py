"""CSV files that a fast reader can be trusted with: the engine's, or Arrow's for large ones.

Belongs here: the engine's reading of them, and joining many small ones. Does not belong here: what it refuses (``exact``),
judging rows (``staging``).
"""

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pyarrow.csv as arrow_csv

from revenue_integrity.landing.reading.inspection import FileFacts
from revenue_integrity.landing.values import path_literal, quote

SMALLEST_BUFFER = 1 << 18
"""Bytes of the engine's buffer for the smallest of files."""

_LONGEST_LINE = 2_000_000

_BLOCK = 16 << 20
"""Bytes of a large CSV file that Arrow reads at once: they become one part of what is written of it."""

_ROWS_AT_ONCE = 122_880
"""Rows that the engine reads at once of one, where it must."""


def plain_rows(file: FileFacts) -> bytes | None:
    """Return the data rows of a small regular CSV file, each a line of its own; nothing if a line might not be a row."""
    with gzip.open(file.path) if file.compressed else file.path.open("rb") as stream:
        _, _, rows = stream.read().replace(b"\r\n", b"\n").partition(b"\n")
    if b'"' in rows or b"\n\n" in rows or rows.startswith(b"\n"):
        return None
    return rows if not rows or rows.endswith(b"\n") else rows + b"\n"


def csv_sql(files: Sequence[FileFacts], columns: Sequence[str], more: str = "") -> str:
    """Return the engine's reading of regular CSV files of one header, every field as its text, an empty one as null."""
    buffer = max(SMALLEST_BUFFER, min(32_000_000, max(file.length for file in files) + 1024))
    typed = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in columns)
    return f"""read_csv(
        [{", ".join(path_literal(file.path) for file in files)}], auto_detect = false, header = false, skip = 1, delim = ',',
        quote = '"', escape = '"', nullstr = '', columns = {{{typed}}}, buffer_size = {buffer}, hive_partitioning = false,
        max_line_size = {min(_LONGEST_LINE, buffer // 2)}{", " if more else ""}{more}
    )"""


def csv_texts(connection: duckdb.DuckDBPyConnection, file: FileFacts, wanted: Sequence[int]) -> Iterator[tuple[pa.Array, ...]]:
    """Yield some columns of a large regular CSV file, many rows at once: every field as its text, an empty one as null.

    Arrow reads texts at two thirds of what the engine needs. Of a stray quote it makes something, though, so what has quotes is
    left to the engine, which refuses what is not regular.

    Args:
        connection: the engine's; used by another thread while rows are asked for.
        file: the file; not compressed.
        wanted: the places of the columns.

    Raises:
        duckdb.Error, pyarrow.ArrowException: the file is not as regular as it looked.
    """
    columns = [f"c{place}" for place in range(len(file.header))]
    names = [columns[place] for place in wanted]
    if file.quoted:
        rows = connection.sql(f"select {', '.join(names)} from {csv_sql([file], columns)}").to_arrow_reader(_ROWS_AT_ONCE)
    else:
        rows = arrow_csv.open_csv(
            file.path,
            read_options=arrow_csv.ReadOptions(column_names=columns, skip_rows=1, block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=names,
                null_values=[""],
                strings_can_be_null=True,
                # Whoever inspected the file has seen to it.
                check_utf8=False,
            ),
        )
    for batch in _read_ahead(rows):
        yield tuple(batch.columns)


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches, reading the next one while the caller is busy with the last."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch
