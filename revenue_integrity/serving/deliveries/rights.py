"""Who may read what was delivered: grants, and views without the columns that readers do not see.

Belongs here: what a dataset's readers get, and taking away what they should not have. Does not belong here: making roles, which
nobody does for the database's owner.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity.errors import DeliveryError
from revenue_integrity.serving.deliveries.database import Database
from revenue_integrity.serving.deliveries.kinds import Grant
from revenue_integrity.serving.deliveries.shape import Shape
from revenue_integrity.serving.deliveries.tables import RECORD

SELECT = "SELECT"


def refuse_missing_roles(connection: Connection, database: Database) -> None:
    """Refuse readers who are no roles of the database.

    Raises:
        DeliveryError: a role does not exist.
    """
    missing = sorted(set(database.delivery.readers) - database.kind.roles(connection)) if database.delivery.readers else []
    if missing:
        raise DeliveryError(
            f"delivery {database.delivery.name}: there is no role {', '.join(missing)} in the database",
            "Have it made there, or take it out of readers",
        )


def apply(connection: Connection, database: Database, shape: Shape) -> None:
    """Let the readers of a dataset read it, and nobody else, where the delivery names readers at all.

    They read its table, or a view without the columns that are hidden. Whoever was granted more than that, or was a reader once,
    may no more.
    """
    delivery = database.delivery
    readers = sorted(role for role, named in delivery.readers.items() if shape.dataset in named)
    hidden = shape.hidden(delivery.hide)
    view = shape.view
    _renew_view(connection, database, shape, hidden if readers else ())
    if not delivery.readers:
        return
    relation = view if hidden else shape.dataset
    present = {
        each for each in database.kind.grants(connection, database.schema) if each.relation in (shape.dataset, view, RECORD)
    }
    wanted = {Grant(relation, role, SELECT) for role in readers}
    quote = connection.dialect.identifier_preparer
    for name, role in sorted({(each.relation, each.role) for each in present - wanted}):
        whom = role if role == "PUBLIC" else quote.quote(role)
        _do(connection, f"revoke all on {_full(quote, database.schema, name)} from {whom}")
    for role in readers:
        if not database.kind.may_look_into(connection, database.schema, role):
            _do(connection, database.kind.let_look_into(quote.quote(database.schema), quote.quote(role)))
    again = {(each.relation, each.role) for each in present - wanted}
    for each in sorted(wanted):
        if each not in present or (each.relation, each.role) in again:
            _do(connection, f"grant select on {_full(quote, database.schema, each.relation)} to {quote.quote(each.role)}")


def grant(connection: Connection, database: Database, grants: Iterable[Grant]) -> None:
    """Grant again what was granted on a table that another took the place of."""
    quote = connection.dialect.identifier_preparer
    for each in sorted(grants):
        whom = each.role if each.role == "PUBLIC" else quote.quote(each.role)
        _do(connection, f"grant {each.privilege} on {_full(quote, database.schema, each.relation)} to {whom}")


def drop_view(connection: Connection, database: Database, shape: Shape) -> None:
    """Take the view of a dataset away; what reads its table otherwise is not ours."""
    if sa.inspect(connection).has_table(shape.view, schema=database.schema):
        _do(connection, f"drop view {_full(connection.dialect.identifier_preparer, database.schema, shape.view)}")


def _renew_view(connection: Connection, database: Database, shape: Shape, hidden: tuple[str, ...]) -> None:
    """Make the view that shows all columns but some, or take it away where nothing is hidden from anybody."""
    quote, inspector, view = connection.dialect.identifier_preparer, sa.inspect(connection), shape.view
    shown = [name for name in shape.names if name not in hidden]
    is_there = inspector.has_table(view, schema=database.schema)
    if is_there and hidden and [each["name"] for each in inspector.get_columns(view, schema=database.schema)] == shown:
        return
    if is_there:
        drop_view(connection, database, shape)
    if hidden:
        columns = ", ".join(quote.quote(name) for name in shown)
        _do(
            connection,
            f"create view {_full(quote, database.schema, view)} as select {columns}"
            f" from {_full(quote, database.schema, shape.dataset)}",
        )


def _full(quote: Any, schema: str, name: str) -> str:
    return f"{quote.quote_schema(schema)}.{quote.quote(name)}"


def _do(connection: Connection, statement: str) -> None:
    # A colon in a name is theirs, and begins no parameter.
    connection.execute(sa.text(statement.replace(":", "\\:")))
