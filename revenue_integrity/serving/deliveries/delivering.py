"""Delivering: what a database lacks is brought into it, a month in one transaction.

Belongs here: what is due, replacing a month. Does not belong here: what there is to deliver (``contents``), how it looks there
(``shape``), who may read it (``rights``), making a table anew (``rebuilding``), reading back (``verifying``), when it is done
(``orchestration.deliveries``).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from revenue_integrity import months
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.errors import no_such
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.deliveries import comparing, contents, record, rights, staging, tables, values
from revenue_integrity.serving.deliveries.content import Content
from revenue_integrity.serving.deliveries.database import Database, opened
from revenue_integrity.serving.deliveries.shape import Shape, shape_of
from revenue_integrity.settings import Delivery


@dataclass(frozen=True)
class Brought:
    """A month of a dataset that was brought.

    Attributes:
        delivery: the delivery.
        dataset: the dataset.
        month: its month; ``None`` without.
        rows: its rows.
    """

    delivery: str
    dataset: str
    month: date | None
    rows: int

    @property
    def named(self) -> str:
        """Dataset and month as people write them."""
        return f"{self.dataset} {months.label(self.month)}" if self.month else self.dataset


def chosen(deployment: Deployment, name: str | None) -> list[Delivery]:
    """Return the deliveries that are set, or the one of a name.

    Raises:
        UsageError: there is none of this name.
    """
    every = list(deployment.settings.deliveries)
    found = [each for each in every if name in (None, each.name)]
    if name is not None and not found:
        raise no_such("delivery", name, [each.name for each in every], "Deliveries")
    return found


def deliver(
    deployment: Deployment,
    delivery: Delivery,
    wanted: Sequence[date] | None = None,
    *,
    again: bool = False,
    open_evidence: OpenEvidence | None = None,
) -> Iterator[Brought]:
    """Bring what a database lacks, or everything again; yield each month once it stands there.

    Raises:
        DeliveryError: the database refuses; what stood there stays.
        PublishError: what is published is replaced at this moment, or does not hold together.
        UsageError: the URL cannot be read.
    """
    with prepared(deployment, delivery) as database:
        found = contents.contents(deployment, delivery, wanted, open_evidence)
        shapes = {
            table.name: shape_of(table, delivery.money, deployment.settings.currency)
            for table in {each.table.name: each.table for each in found}.values()
        }
        for name, shape in shapes.items():
            with database.transaction(f"making the table {name}", name) as connection:
                tables.ensure(connection, database.schema, shape)
                rights.apply(connection, database, shape)
        with database.transaction("reading what was delivered") as connection:
            recorded = {(each.dataset, each.month): each for each in record.read(connection, database)}
        for content in found:
            shape = shapes[content.table.name]
            held = recorded.get((shape.dataset, content.month or tables.NO_MONTH))
            if again or record.is_due(held, database, shape, content):
                rows = _replace(database, shape, content, again=again)
                if rows is not None:
                    yield Brought(delivery.name, shape.dataset, content.month, rows)


@contextmanager
def prepared(deployment: Deployment, delivery: Delivery) -> Iterator[Database]:
    """Yield the database of a delivery with its schema and its record in it."""
    with opened(delivery, deployment.settings.lock_timeout_seconds) as database:
        with database.transaction("opening it", tables.RECORD) as connection:
            rights.refuse_missing_roles(connection, database)
            if not sa.inspect(connection).has_schema(database.schema):
                connection.execute(sa.schema.CreateSchema(database.schema))
            tables.record_table(database.schema).create(connection, checkfirst=True)
            staging.drop_old(connection, database)
        yield database


def _replace(database: Database, shape: Shape, content: Content, *, again: bool) -> int | None:
    """Bring a month that is due, in one transaction; return its rows, ``None`` if somebody else has brought it meanwhile."""
    doing = f"bringing {content.named}"
    table = tables.table_of(shape, database.schema)
    of_month = table.c[shape.month] == content.month if content.month else sa.true()
    with content.opened(database.work) as published:
        rows = values.delivered(shape, published, content.named)
        count, sums = values.counted(shape, rows)
        with staging.staged(database, shape, rows, doing) as waiting, database.transaction(doing, shape.dataset) as connection:
            if not again and not record.is_due(record.of_content(connection, database, content), database, shape, content):
                return None
            connection.execute(table.delete().where(of_month) if content.month else table.delete())
            if waiting is None:
                database.kind.fill(connection, table, shape, rows)
            else:
                connection.execute(
                    table.insert().from_select(list(shape.names), sa.select(*(waiting.c[name] for name in shape.names)))
                )
            comparing.refuse_others(connection, table, shape, of_month, count, sums, content.named)
            record.write(connection, database, shape, content, count, sums)
    return count
