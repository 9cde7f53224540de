"""The record that a database keeps of what was delivered into it: reading and writing its rows.

Belongs here: that, and what is due by it. Does not belong here: the table itself (``tables``), bringing rows (``delivering``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity import clock
from revenue_integrity.serving.deliveries import tables, values
from revenue_integrity.serving.deliveries.content import Content
from revenue_integrity.serving.deliveries.database import Database
from revenue_integrity.serving.deliveries.shape import Shape


@dataclass(frozen=True)
class Recorded:
    """What a database keeps of a month that was delivered."""

    dataset: str
    month: date
    delivery: str
    content_hash: str
    schema_hash: str
    rows: int
    sums: Mapping[str, str | None]


def read(connection: Connection, database: Database, dataset: str = "", month: date | None = None) -> list[Recorded]:
    """Return what is on record, of all datasets and months or of one."""
    record = tables.record_table(database.schema)
    asked = sa.select(
        record.c.dataset,
        record.c.month,
        record.c.delivery,
        record.c.content_hash,
        record.c.schema_hash,
        record.c.rows,
        record.c.sums,
    ).order_by(record.c.dataset, record.c.month)
    if dataset:
        asked = asked.where(record.c.dataset == dataset)
    if month:
        asked = asked.where(record.c.month == month)
    return [Recorded(*found[:6], json.loads(found[6])) for found in connection.execute(asked)]


def of_content(connection: Connection, database: Database, content: Content) -> Recorded | None:
    """Return what is on record of a month of a dataset; ``None`` if it was never brought."""
    found = read(connection, database, content.table.name, content.month or tables.NO_MONTH)
    return found[0] if found else None


def is_due(held: Recorded | None, database: Database, shape: Shape, content: Content) -> bool:
    """Return whether a month is to be brought: other content, another look of its table, or brought by another delivery."""
    wanted = (content.content_hash, shape.schema_hash, database.delivery.name)
    return held is None or (held.content_hash, held.schema_hash, held.delivery) != wanted


def write(connection: Connection, database: Database, shape: Shape, content: Content, rows: int, sums: values.Sums) -> None:
    """Put a month on record that was brought, in the caller's transaction."""
    record, month = tables.record_table(database.schema), content.month or tables.NO_MONTH
    connection.execute(record.delete().where(record.c.dataset == shape.dataset, record.c.month == month))
    connection.execute(
        record.insert().values(
            dataset=shape.dataset,
            month=month,
            delivery=database.delivery.name,
            content_hash=content.content_hash,
            schema_hash=shape.schema_hash,
            rows=rows,
            sums=json.dumps(dict(sums), sort_keys=True),
            version=content.version,
            delivered_at=clock.now(),
        )
    )
