"""The manifest of batches, the quarantine, the corrections and what the deployment's rules found as datasets.

Belongs here: their columns, and reading them from the store. Does not belong here: filling them (``ingest``).
"""

from collections.abc import Sequence
from datetime import date

import duckdb
import pandas as pd

from revenue_integrity.landing import corrections, rule_results
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query
from revenue_integrity.model.table import Table, table
from revenue_integrity.warehouse.storage import rows_of


def batches_table(stream: str) -> Table:
    """Return the declaration of ``batches``: one row per batch that was ever read."""
    return table(
        stream,
        "raw",
        "batches",
        "Manifest of the stream's batches, one row per batch: what it weighs, and what became of its rows.",
        ("batch_id",),
        [
            column.text("batch_id", "Stream, source and arrival."),
            column.instant("arrival", "When it became visible."),
            column.text("digest", "SHA-256 over the names and digests of its files, recorded at first sight."),
            column.text("status", "What became of it.", isin=("loaded", "rejected", "changed", "withdrawn")),
            column.integer("rows_in_file", "Data rows in its files.", unit="rows"),
            column.integer("rows_loaded", "Rows that stand in the raw table.", unit="rows"),
            column.integer("rows_quarantined", "Rows in quarantine.", unit="rows"),
            column.integer("exact_duplicates", "Rows equal to what stood already; counted, not loaded twice.", unit="rows"),
            column.integer("corrections", "Rows that replaced an earlier one.", unit="rows"),
            column.text("unknown_columns", "Columns that are not modelled, separated by commas."),
            column.text("error", "Why it was rejected, or what changed.", null=True),
            column.instant("first_seen_at", "When it was first read."),
            column.text("covers", "Months that it speaks about beside those of its rows, as its writer says; empty for none."),
            column.flag("backdated", "Whether its arrival lies in a past that was signed before it was first read."),
        ],
        partition="",
        content_excludes=("first_seen_at", "backdated"),
    )


def quarantine_table(stream: str) -> Table:
    """Return the declaration of ``quarantine``: one row per refused row, or per refused batch."""
    return table(
        stream,
        "raw",
        "quarantine",
        "Refused rows, one row per row (or per batch refused whole), with every reason; they heal by themselves.",
        ("batch_id",),
        [
            column.text("stream", "Stream of the source."),
            column.text("source", "Source of the batch."),
            column.text("batch_id", "The batch."),
            column.text("file_name", "File of the batch; empty for a whole batch.", null=True),
            column.integer("row_number", "Data row in the file, 1 is the first; empty for a whole batch.", null=True),
            column.day("month", "Service month of the row, if it says one.", null=True),
            column.text("dq_errors", "Every reason, separated by semicolons."),
            column.json_text("raw", "The row as it came.", null=True),
        ],
        partition="",
        # Empty for a batch that was refused whole.
        also_named_by=("file_name", "row_number"),
    )


def corrections_table(stream: str) -> Table:
    """Return the declaration of ``corrections``: one row per row that replaced another of its key."""
    return table(
        stream,
        "raw",
        "corrections",
        "Rows that replaced an earlier one of their key, with both and what differs; one row per row that replaced another.",
        ("stream", "source", "batch_id", "file_name", "row_number"),
        [
            column.text("stream", "Stream of the source."),
            column.text("source", "Source of the batch."),
            column.json_text("key", "The key that both claim."),
            column.text("batch_id", "The batch of the later row."),
            column.text("file_name", "Its file."),
            column.integer("row_number", "Its data row in the file; 1 is the first.", unit="rows", ge=1),
            column.text("earlier_batch_id", "The batch of the row before it."),
            column.text("earlier_file_name", "The file of that row."),
            column.integer("earlier_row_number", "The data row of it.", unit="rows", ge=1),
            column.flag("is_same_batch", "Whether one batch brought both: more likely two things under one name."),
            column.day("month", "Service month of the later row, if it says one.", null=True),
            column.json_text("differs", "The columns that differ, with what was and what is now."),
        ],
        partition="",
    )


def data_rules_table(stream: str) -> Table:
    """Return the declaration of ``data_rules``: one row per rule of the deployment for a source of the stream."""
    return table(
        stream,
        "raw",
        "data_rules",
        "What the deployment demands of columns (setting data_rules), and how many rows break it; one row per rule.",
        ("stream", "source", "name"),
        [
            column.text("stream", "Stream of the source."),
            column.text("source", "The source."),
            column.text("name", "What the rule is called."),
            column.text("column", "The column that it is about, as files name it."),
            column.text("rule", "What it demands."),
            column.text("action", "What becomes of a row that breaks it.", isin=("refuse", "warn")),
            column.text("because", "Why the deployment demands it."),
            column.integer(
                "rows_that_break_it",
                "Rows in quarantine that it refused, or rows that stand and break it; empty where it only warns of rows that are"
                " kept in files, which its check counts month by month.",
                unit="rows",
                null=True,
            ),
        ],
        partition="",
    )


_BATCHES = """
    select
        batch_id, arrival, digest, status, rows_in_file, rows_loaded, rows_quarantined, exact_duplicates, corrections,
        unknown_columns, coalesce(error, 'found digest ' || found_digest) as error, first_seen_at,
        coalesce(covers, '') as covers, coalesce(backdated, false) as backdated
    from meta.batches
    where stream = $stream
    order by batch_id
"""

_QUARANTINE = """
    select stream, source, batch_id, file_name, row_number, month, dq_errors, raw
    from meta.quarantine
    where stream = $stream
    order by batch_id, file_name nulls first, row_number
"""


def read_corrections(connection: duckdb.DuckDBPyConnection, stream: str, months: Sequence[date] | None = None) -> pd.DataFrame:
    """Return the corrections of a stream; with months, theirs and those of what names no month."""
    declared = corrections_table(stream)
    known = connection.execute(
        "select 1 from duckdb_views() where schema_name || '.' || view_name = ?", [corrections.view_of(stream)]
    ).fetchall()
    # A home that was not read since it was carried over has none yet.
    query = (
        f"select $stream as stream, {corrections.SHOWN} from {corrections.view_of(stream)}"
        " order by source, batch_id, file_name, row_number"
    )
    if not known:
        empty = ", ".join(f"cast(null as {declared.sql_type(each)}) as {each}" for each in declared.columns)
        query = f"select {empty} where $stream = ''"
    rows = rows_of(connection, declared, Query(query, {"stream": stream}))
    if months is None:
        return rows
    wanted = rows["month"].isna() | rows["month"].isin(pd.to_datetime(pd.Series(list(months))))
    return rows[wanted].reset_index(drop=True)


def read_data_rules(connection: duckdb.DuckDBPyConnection, stream: str, months: Sequence[date] | None = None) -> pd.DataFrame:
    """Return what the rules of the deployment for a stream found; they are of no month."""
    declared = data_rules_table(stream)
    query = "from meta.data_rules where stream = $stream order by source, name"
    if not rule_results.is_there(connection):
        empty = ", ".join(f'cast(null as {declared.sql_type(each)}) as "{each}"' for each in declared.columns)
        query = f"select {empty} where $stream = ''"
    return rows_of(connection, declared, Query(query, {"stream": stream}))


def read_batches(connection: duckdb.DuckDBPyConnection, stream: str, months: Sequence[date] | None = None) -> pd.DataFrame:
    """Return the manifest of a stream, or of the batches that touch some months."""
    rows = rows_of(connection, batches_table(stream), Query(_BATCHES, {"stream": stream}))
    if months is None:
        return rows
    touching = connection.execute("select distinct batch_id from meta.batch_months where list_contains(?, month)", [list(months)])
    return rows[rows["batch_id"].isin([batch_id for (batch_id,) in touching.fetchall()])].reset_index(drop=True)


def read_quarantine(connection: duckdb.DuckDBPyConnection, stream: str, months: Sequence[date] | None = None) -> pd.DataFrame:
    """Return the quarantine of a stream; with months, their rows and whatever names no month."""
    rows = rows_of(connection, quarantine_table(stream), Query(_QUARANTINE, {"stream": stream}))
    if months is None:
        return rows
    wanted = rows["month"].isna() | rows["month"].isin(pd.to_datetime(pd.Series(list(months))))
    return rows[wanted].reset_index(drop=True)
