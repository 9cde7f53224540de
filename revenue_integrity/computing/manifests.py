"""Publishing what the landing says of itself: the manifest of batches, the quarantine, the corrections, the rules; always.

Belongs here: datasets that belong to a stream rather than to a month, and small frames without a warehouse table. Does not
belong here: publishing computed months (``orchestration.publication``).
"""

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from revenue_integrity.landing.datasets import (
    batches_table,
    corrections_table,
    data_rules_table,
    quarantine_table,
    read_batches,
    read_corrections,
    read_data_rules,
    read_quarantine,
)
from revenue_integrity.model.stream import Stream
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import database, publish
from revenue_integrity.warehouse.hashing import canonical_digest
from revenue_integrity.warehouse.storage import arrow_schema

if TYPE_CHECKING:
    import duckdb


def publish_manifest(settings: Settings, stream: Stream) -> None:
    """Publish the manifest of batches, the quarantine, the corrections and what rules found of a stream."""
    with database.connect(settings) as connection:
        frames = {
            batches_table(stream.name): read_batches(connection, stream.name),
            quarantine_table(stream.name): read_quarantine(connection, stream.name),
            corrections_table(stream.name): read_corrections(connection, stream.name),
            data_rules_table(stream.name): read_data_rules(connection, stream.name),
        }
        for declared, frame in frames.items():
            publish_frame(connection, settings, declared, None, frame)


def publish_frame(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, declared: Table, month: date | None, frame: pd.DataFrame
) -> None:
    """Publish a frame as it is, hashed like a table's rows."""
    rows = pa.Table.from_pandas(frame, schema=arrow_schema(declared), preserve_index=False)
    connection.register("published_rows", rows)
    digest = canonical_digest(connection, declared, "published_rows")
    connection.unregister("published_rows")
    publish.publish(settings, declared, month, rows, content_hash=digest, as_of="", code_version="", batches=[], checks=[])
