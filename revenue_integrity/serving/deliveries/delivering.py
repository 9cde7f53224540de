"""Delivering: what a database lacks is brought into it, a month in one transaction.

Belongs here: what is due, replacing a month, making a table anew, comparing what stands there with what was brought. Does not
belong here: what there is to deliver (``contents``), how it looks there (``shape``), who may read it (``rights``), when it is
done (``orchestration.deliveries``).
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity import clock, months
from revenue_integrity.desk.evidence import OpenEvidence
from revenue_integrity.errors import DeliveryError, no_such
from revenue_integrity.model.deployment import Deployment
from revenue_integrity.serving.deliveries import contents, rights, tables, values
from revenue_integrity.serving.deliveries.content import Content
from revenue_integrity.serving.deliveries.database import Database, opened
from revenue_integrity.serving.deliveries.shape import Shape, shape_of
from revenue_integrity.settings import Delivery

_STAGING = "_ri_"
_STAGING_AGE = timedelta(days=1)
"""A staging table that is older was left by a process that died."""

_READ_AT_ONCE = 20_000


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
    with _prepared(deployment, delivery) as database:
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
            recorded = {(each.dataset, each.month): each for each in _recorded(connection, database)}
        for content in found:
            shape = shapes[content.table.name]
            held = recorded.get((shape.dataset, content.month or tables.NO_MONTH))
            if again or _is_due(held, database, shape, content):
                rows = _replace(database, shape, content, again=again)
                if rows is not None:
                    yield Brought(delivery.name, shape.dataset, content.month, rows)


@contextmanager
def _prepared(deployment: Deployment, delivery: Delivery) -> Iterator[Database]:
    """Yield the database of a delivery with its schema and its record in it."""
    with opened(delivery, deployment.settings.lock_timeout_seconds) as database:
        with database.transaction("opening it", tables.RECORD) as connection:
            rights.refuse_missing_roles(connection, database)
            if not sa.inspect(connection).has_schema(database.schema):
                connection.execute(sa.schema.CreateSchema(database.schema))
            tables.record_table(database.schema).create(connection, checkfirst=True)
            _drop_old_staging(connection, database)
        yield database


def _drop_old_staging(connection: Connection, database: Database) -> None:
    for name in sa.inspect(connection).get_table_names(schema=database.schema):
        if name.startswith(_STAGING) and clock.now() - _made_at(name) > _STAGING_AGE:
            sa.Table(name, sa.MetaData(), schema=database.schema).drop(connection)


def _staging_name() -> str:
    return f"{_STAGING}{clock.now():%Y%m%dT%H%M%S}_{secrets.token_hex(6)}"


def _made_at(name: str) -> datetime:
    try:
        return datetime.strptime(name[len(_STAGING) :].partition("_")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        # It is called alike, and nobody of ours made it.
        return clock.now()


@dataclass(frozen=True)
class _Recorded:
    """What a database keeps of a month that was delivered."""

    dataset: str
    month: date
    delivery: str
    content_hash: str
    schema_hash: str
    rows: int
    sums: Mapping[str, str | None]


def _recorded(connection: Connection, database: Database, dataset: str = "", month: date | None = None) -> list[_Recorded]:
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
    return [_Recorded(*found[:6], json.loads(found[6])) for found in connection.execute(asked)]


def _is_due(held: _Recorded | None, database: Database, shape: Shape, content: Content) -> bool:
    wanted = (content.content_hash, shape.schema_hash, database.delivery.name)
    return held is None or (held.content_hash, held.schema_hash, held.delivery) != wanted


def _record_of(connection: Connection, database: Database, content: Content) -> _Recorded | None:
    found = _recorded(connection, database, content.table.name, content.month or tables.NO_MONTH)
    return found[0] if found else None


def _replace(database: Database, shape: Shape, content: Content, *, again: bool) -> int | None:
    """Bring a month that is due, in one transaction; return its rows, ``None`` if somebody else has brought it meanwhile."""
    doing = f"bringing {content.named}"
    table = tables.table_of(shape, database.schema)
    of_month = table.c[shape.month] == content.month if content.month else sa.true()
    with content.opened(database.work) as published:
        rows = values.delivered(shape, published, content.named)
        count, sums = values.counted(shape, rows)
        with _staged(database, shape, rows, doing) as staging, database.transaction(doing, shape.dataset) as connection:
            if not again and not _is_due(_record_of(connection, database, content), database, shape, content):
                return None
            connection.execute(table.delete().where(of_month) if content.month else table.delete())
            if staging is None:
                database.kind.fill(connection, table, shape, rows)
            else:
                connection.execute(
                    table.insert().from_select(list(shape.names), sa.select(*(staging.c[name] for name in shape.names)))
                )
            _refuse_other_sums(connection, table, shape, of_month, count, sums, content.named)
            _record(connection, database, shape, content, count, sums)
    return count


@contextmanager
def _staged(database: Database, shape: Shape, rows: duckdb.DuckDBPyRelation, doing: str) -> Iterator[sa.Table | None]:
    """Yield a table of its own with the rows in it, where they cannot be brought inside of the transaction that reads it."""
    if not database.kind.staged:
        yield None
        return
    staging = tables.table_of(shape, database.schema, _staging_name(), with_key=False)
    with database.transaction(doing) as connection:
        staging.create(connection)
    try:
        with database.transaction(doing) as connection:
            database.kind.fill(connection, staging, shape, rows)
        yield staging
    finally:
        with database.transaction(doing) as connection:
            staging.drop(connection, checkfirst=True)


def _held(connection: Connection, table: sa.Table, shape: Shape, where: Any) -> tuple[int, dict[str, str | None]]:
    """Return how many rows a table holds, and what its columns add up to."""
    # As decimals: whole numbers of some databases do not add up to more than one of them can hold.
    sums = [sa.func.sum(sa.cast(table.c[each.name], sa.Numeric(38, each.places))) for each in shape.numbers]
    count, *found = connection.execute(sa.select(sa.func.count(), *sums).select_from(table).where(where)).one()
    return count, {
        each.name: None if total is None else values.plain(total, each.places)
        for each, total in zip(shape.numbers, found, strict=True)
    }


def _refuse_other_sums(
    connection: Connection, table: sa.Table, shape: Shape, where: Any, rows: int, sums: values.Sums, named: str
) -> None:
    found = _differences(rows, sums, *_held(connection, table, shape, where))
    if found:
        raise DeliveryError(
            f"{named} did not come to the database as it is: {'; '.join(found)}", "Nothing was changed: deliver again"
        )


def _differences(rows: int, sums: values.Sums, rows_there: int, sums_there: values.Sums) -> list[str]:
    found = [] if rows == rows_there else [f"{rows_there} rows there, {rows} delivered"]
    return found + [
        f"{name} adds up to {sums_there.get(name) or 'nothing'} there, {total or 'nothing'} delivered"
        for name, total in sums.items()
        if sums_there.get(name) != total
    ]


def _record(connection: Connection, database: Database, shape: Shape, content: Content, rows: int, sums: values.Sums) -> None:
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
    with _prepared(deployment, delivery) as database:
        new = tables.table_of(shape, database.schema, _staging_name())
        kind = database.kind
        try:
            filled = _filled_before(database, new, shape, every, doing) if kind.staged else []
            with database.transaction(doing, dataset) as connection:
                if not kind.staged:
                    new.create(connection)
                    filled = [_filled(database, shape, content, connection, new) for content in every]
                for content, rows, sums in filled:
                    of_month = new.c[shape.month] == content.month if content.month else sa.true()
                    _refuse_other_sums(connection, new, shape, of_month, rows, sums, content.named)
                    _record(connection, database, shape, content, rows, sums)
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
            with _staged(database, shape, rows, doing) as staging, database.transaction(doing) as connection:
                assert staging is not None
                names = list(shape.names)
                connection.execute(new.insert().from_select(names, sa.select(*(staging.c[name] for name in names))))
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
            recorded = [each for each in _recorded(connection, database) if each.delivery == delivery.name]
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
                now = _recorded(connection, database, each.dataset, each.month)
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


def _verified(
    connection: Connection, database: Database, shape: Shape, recorded: _Recorded, content: Content | None
) -> list[str]:
    found = tables.found_columns(connection, database.schema, shape.dataset)
    if found is None:
        return ["the table is gone"]
    if missing := sorted(set(recorded.sums) - set(found)):
        return [f"the column {name} is gone" for name in missing]
    if recorded.schema_hash != shape.schema_hash or not set(shape.names) <= set(found):
        return ["it looks otherwise than it did: deliver again"]
    table = tables.table_of(shape, database.schema)
    of_month = sa.true() if recorded.month == tables.NO_MONTH else table.c[shape.month] == recorded.month
    differing = _differences(recorded.rows, recorded.sums, *_held(connection, table, shape, of_month))
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
