"""The store of an earlier release: one for all streams, in ``meta``.

Belongs here: what of it is carried over (what people admitted), and that the rest goes. Does not belong here: anything of this
release. Its files go by themselves, for nothing refers to them; their rows are read again from the landing zone.
"""

from collections.abc import Sequence

import duckdb

from revenue_integrity.model.events import EventLog

_TABLES = ("event_files", "event_days", "event_claims", "event_invoice_parts", "event_completeness")
_ADMITTED = "event_admitted"
_VIEWS = ("event_invoices", "event_versions")


def carry_over(connection: duckdb.DuckDBPyConnection, logs: Sequence[EventLog]) -> None:
    """Take what people admitted into the logs of its stream, and drop the tables of the earlier store; in a transaction.

    What was admitted for another stream stays until that stream is read: whichever is read first, no admission is lost.
    """
    found = {
        table
        for (table,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'meta' and list_contains(?, table_name)",
            [[*_TABLES, _ADMITTED]],
        ).fetchall()
    }
    if not logs or _ADMITTED not in found:
        return
    for log in logs:
        connection.execute(
            f"insert into {log.schema}.admitted select month, batch_id from meta.{_ADMITTED} where stream = ?", [log.stream]
        )
        # Only streams of events had slices of days there, and what is computed of events had none elsewhere.
        connection.execute(
            "delete from meta.slices where stream = ? and (contains(source, '/') or source = 'invoices')", [log.stream]
        )
    for view in _VIEWS:
        connection.execute(f"drop view if exists meta.{view}")
    for table in _TABLES:
        connection.execute(f"drop table if exists meta.{table}")
    connection.execute(f"delete from meta.{_ADMITTED} where list_contains(?, stream)", [[log.stream for log in logs]])
    if not connection.execute(f"select 1 from meta.{_ADMITTED} limit 1").fetchall():
        connection.execute(f"drop table meta.{_ADMITTED}")
