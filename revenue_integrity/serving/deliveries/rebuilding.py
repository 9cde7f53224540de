"""Making a table anew: all months into a new one, which then takes the place of the old one in one transaction.

Belongs here: that. Does not belong here: bringing single months (``delivering``), who may read the table (``rights``).
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.errors import no_such
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.deliveries import comparing, contents, record, rights, staging, tables, values
from revenue_integrity.serving.deliveries.content import Content
from revenue_integrity.serving.deliveries.database import Database
from revenue_integrity.serving.deliveries.delivering import Brought, prepared
from revenue_integrity.serving.deliveries.shape import Shape, shape_of
from revenue_integrity.settings import Delivery


def brings(deployment: Deployment, delivery: Delivery, dataset: str) -> bool:
    """Return whether a delivery brings a dataset."""
    return any(table.name == dataset for table in contents.tables_of(deployment, delivery))


def rebuild(deployment: Deployment, delivery: Delivery, dataset: str, open_evidence: OpenEvidence | None = None) -> Brought:
    """Make the table of a dataset anew with all its months, and put it into the place of the old one in one transaction.

    Readers see the old table until then; what was granted on it is granted on the new one.

    Raises:
        DeliveryError: the database refuses, for example because a view of somebody rests on the old table; it stays.
        UsageError: the delivery brings no such dataset.
    """
    brought = {table.name: table for table in contents.tables_of(deployment, delivery)}
    if dataset not in brought:
        raise no_such("dataset", dataset, sorted(brought), "Datasets", where=f"the delivery {delivery.name}")
    declared, doing = brought[dataset], f"making {dataset} anew"
    shape = shape_of(declared, delivery.money, deployment.settings.currency)
    every = [each for each in contents.contents(deployment, delivery, None, open_evidence) if each.table.name == dataset]
    with prepared(deployment, delivery) as database:
        new = tables.table_of(shape, database.schema, staging.new_name())
        kind = database.kind
        try:
            filled = _filled_before(database, new, shape, every, doing) if kind.staged else []
            with database.transaction(doing, dataset) as connection:
                if not kind.staged:
                    new.create(connection)
                    filled = [_filled(database, shape, content, connection, new) for content in every]
                for content, rows, sums in filled:
                    of_month = new.c[shape.month] == content.month if content.month else sa.true()
                    comparing.refuse_others(connection, new, shape, of_month, rows, sums, content.named)
                    record.write(connection, database, shape, content, rows, sums)
                _swap(connection, database, new, shape)
        finally:
            with database.transaction(doing) as connection:
                new.drop(connection, checkfirst=True)
    return Brought(delivery.name, dataset, None, sum(rows for _, rows, _ in filled))


_Filled = tuple[Content, int, values.Sums]
"""A month in a table that nobody sees yet, with its rows and sums."""


def _filled(database: Database, shape: Shape, content: Content, connection: Connection, new: sa.Table) -> _Filled:
    """Bring a month into a table that nobody sees yet."""
    with content.opened(database.work) as published:
        rows = values.delivered(shape, published, content.named)
        database.kind.fill(connection, new, shape, rows)
        return content, *values.counted(shape, rows)


def _filled_before(database: Database, new: sa.Table, shape: Shape, every: Sequence[Content], doing: str) -> list[_Filled]:
    """Make a table that nobody sees yet and bring all months into it, before the transaction that gives it its name."""
    with database.transaction(doing) as connection:
        new.create(connection)
    found: list[_Filled] = []
    for content in every:
        with content.opened(database.work) as published:
            rows = values.delivered(shape, published, content.named)
            with staging.staged(database, shape, rows, doing) as waiting, database.transaction(doing) as connection:
                assert waiting is not None
                names = list(shape.names)
                connection.execute(new.insert().from_select(names, sa.select(*(waiting.c[name] for name in names))))
            found.append((content, *values.counted(shape, rows)))
    return found


def _swap(connection: Connection, database: Database, new: sa.Table, shape: Shape) -> None:
    """Put a table into the place of a dataset's, in the caller's transaction."""
    quote, old = connection.dialect.identifier_preparer, tables.table_of(shape, database.schema)
    granted = database.kind.grants(connection, database.schema)
    rights.drop_view(connection, database, shape)
    old.drop(connection, checkfirst=True)
    connection.execute(sa.text(database.kind.rename(new, shape.dataset, quote).replace(":", "\\:")))
    # Their names are free now that the old table is gone.
    for index in tables.indexes_of(shape, old):
        index.create(connection)
    rights.apply(connection, database, shape)
    if not database.delivery.readers:
        rights.grant(connection, database, [each for each in granted if each.relation == shape.dataset])
