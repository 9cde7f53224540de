"""Whether a table holds what was brought: its rows, and the exact sum of each numeric column.

Belongs here: asking the database for both, and saying what differs. Does not belong here: what is done about it (``delivering``
takes it back, ``verifying`` tells it).
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from revenue_integrity.errors import DeliveryError
from revenue_integrity.serving.deliveries import values
from revenue_integrity.serving.deliveries.shape import Shape


def held(connection: Connection, table: sa.Table, shape: Shape, where: Any) -> tuple[int, dict[str, str | None]]:
    """Return how many rows a table holds, and what its columns add up to."""
    # As decimals: whole numbers of some databases do not add up to more than one of them can hold.
    sums = [sa.func.sum(sa.cast(table.c[each.name], sa.Numeric(38, each.places))) for each in shape.numbers]
    count, *found = connection.execute(sa.select(sa.func.count(), *sums).select_from(table).where(where)).one()
    return count, {
        each.name: None if total is None else values.plain(total, each.places)
        for each, total in zip(shape.numbers, found, strict=True)
    }


def refuse_others(
    connection: Connection, table: sa.Table, shape: Shape, where: Any, rows: int, sums: values.Sums, named: str
) -> None:
    """Refuse rows that are not those that were brought, in the transaction that brought them.

    Raises:
        DeliveryError: their number or a sum is another one; the message names both.
    """
    found = differences(rows, sums, *held(connection, table, shape, where))
    if found:
        raise DeliveryError(
            f"{named} did not come to the database as it is: {'; '.join(found)}", "Nothing was changed: deliver again"
        )


def differences(rows: int, sums: values.Sums, rows_there: int, sums_there: values.Sums) -> list[str]:
    """Return what differs between rows and sums as they were brought and as they are there, a sentence each."""
    found = [] if rows == rows_there else [f"{rows_there} rows there, {rows} delivered"]
    return found + [
        f"{name} adds up to {sums_there.get(name) or 'nothing'} there, {total or 'nothing'} delivered"
        for name, total in sums.items()
        if sums_there.get(name) != total
    ]
