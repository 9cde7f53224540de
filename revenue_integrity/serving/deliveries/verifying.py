"""Reading back what was delivered, and telling what differs from what was brought.

Belongs here: that, a month at a time under its dataset's lock. Does not belong here: mending it (``delivering``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity.errors import DeliveryError
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.deliveries import comparing, contents, record, tables, values
from revenue_integrity.serving.deliveries.content import Content
from revenue_integrity.serving.deliveries.database import Database, opened
from revenue_integrity.serving.deliveries.record import Recorded
from revenue_integrity.serving.deliveries.shape import Shape, shape_of
from revenue_integrity.settings import Delivery

_READ_AT_ONCE = 20_000


@dataclass(frozen=True)
class Difference:
    """What a database holds otherwise than it was brought.

    Attributes:
        delivery: the delivery.
        dataset: the dataset.
        month: its month; ``None`` without.
        what: what differs, with both values.
    """

    delivery: str
    dataset: str
    month: date | None
    what: str


def verify(deployment: Deployment, delivery: Delivery, wanted: Sequence[date] | None = None) -> Iterator[Difference | None]:
    """Read back each month on record and compare it with what was brought; yield what differs, ``None`` for a month that holds.

    Rows and sums are compared with the record, the content hash where the rows that were brought are still those of the home.

    Raises:
        DeliveryError: the database refuses.
    """
    with opened(delivery, deployment.settings.lock_timeout_seconds) as database:
        doing = "reading back"
        with database.transaction(doing) as connection:
            if not sa.inspect(connection).has_table(tables.RECORD, schema=database.schema):
                raise DeliveryError(f"delivery {delivery.name}: nothing was delivered there yet", "Deliver first")
            recorded = [each for each in record.read(connection, database) if each.delivery == delivery.name]
        present = {(each.table.name, each.month or tables.NO_MONTH): each for each in contents.contents(deployment, delivery)}
        shapes = {
            table.name: shape_of(table, delivery.money, deployment.settings.currency)
            for table in contents.tables_of(deployment, delivery)
        }
        for each in recorded:
            month = None if each.month == tables.NO_MONTH else each.month
            if wanted is not None and month is not None and month not in wanted:
                continue
            with database.transaction(doing, each.dataset) as connection:
                # Under the lock it may be another one than it was.
                now = record.read(connection, database, each.dataset, each.month)
                shape = shapes.get(each.dataset)
                what = (
                    ["it is delivered no more"]
                    if shape is None
                    else _verified(connection, database, shape, now[0], present.get((each.dataset, each.month)))
                    if now
                    else []
                )
            if not what:
                yield None
            for sentence in what:
                yield Difference(delivery.name, each.dataset, month, sentence)


def _verified(connection: Connection, database: Database, shape: Shape, recorded: Recorded, content: Content | None) -> list[str]:
    found = tables.found_columns(connection, database.schema, shape.dataset)
    if found is None:
        return ["the table is gone"]
    if missing := sorted(set(recorded.sums) - set(found)):
        return [f"the column {name} is gone" for name in missing]
    if recorded.schema_hash != shape.schema_hash or not set(shape.names) <= set(found):
        return ["it looks otherwise than it did: deliver again"]
    table = tables.table_of(shape, database.schema)
    of_month = sa.true() if recorded.month == tables.NO_MONTH else table.c[shape.month] == recorded.month
    differing = comparing.differences(recorded.rows, recorded.sums, *comparing.held(connection, table, shape, of_month))
    if differing or content is None or content.content_hash != recorded.content_hash:
        return differing
    if content.digests is None or content.read is None:
        return []
    asked = sa.select(*(table.c[name] for name in shape.names)).where(of_month)
    result = connection.execution_options(stream_results=True, max_row_buffer=_READ_AT_ONCE).execute(asked)
    there = values.published(shape, content.read().schema, result.partitions(_READ_AT_ONCE))
    return (
        []
        if content.content_hash in content.digests(database.work, there)
        else ["its content is another, with the same rows and sums"]
    )
