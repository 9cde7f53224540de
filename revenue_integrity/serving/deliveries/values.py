"""The rows of a month as a database is to hold them, and what they add up to.

Belongs here: names and money as they are delivered, the sums that both sides must have, refusing what no database can hold, and
the way back, for comparing. Does not belong here: how rows get into a database (``postgres``, ``sqlserver``).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Context, Decimal, Inexact
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from revenue_integrity.errors import DeliveryError
from revenue_integrity.serving.deliveries.shape import LONGEST_KEY_TEXT, Column, Shape

Sums = Mapping[str, str | None]
"""The exact sum of each numeric column, as text; ``None`` of no values."""

_WIDEST = 76
"""Digits of the sums: no sum of any column of a table reaches them."""

_ROWS_AT_ONCE = 100_000

_EXACT = Context(prec=_WIDEST, traps=[Inexact])


def delivered(shape: Shape, rows: duckdb.DuckDBPyRelation, named: str) -> duckdb.DuckDBPyRelation:
    """Return rows with the columns as they are delivered; they stay in the engine.

    Raises:
        DeliveryError: text holds U+0000, or is too long for a key or an index; the message names the place.
    """
    found = rows.project(", ".join(f'{each.expression} as "{each.name}"' for each in shape.columns))
    _refuse_text(shape, found, named)
    return found


def _refuse_text(shape: Shape, rows: duckdb.DuckDBPyRelation, named: str) -> None:
    texts = [each for each in shape.columns if each.kind in ("text", "key_text")]
    if not texts:
        return
    wrong = {each.name: _wrong(each) for each in texts}
    counts = _first(rows.aggregate(", ".join(f"count_if({condition})" for condition in wrong.values())))
    for column, count in zip(texts, counts, strict=True):
        if not count:
            continue
        place = ", ".join(f'"{name}"::varchar' for name in (shape.key or shape.indexes[0] if shape.indexes else ()))
        (first,) = _first(rows.filter(wrong[column.name]).limit(1).project(f"[{place}]"))
        (held,) = _first(rows.aggregate(f'count_if(contains("{column.name}", chr(0)))'))
        what = "holds U+0000" if held else f"is longer than {LONGEST_KEY_TEXT} characters"
        at = f" in the row {' | '.join(str(each)[:80] for each in first)}" if place else ""
        raise DeliveryError(
            f"{named}: {column.name} {what}{at}".replace("\0", "\\0"), "No database can hold it: correct it where it comes from"
        )


def _first(rows: duckdb.DuckDBPyRelation) -> tuple[Any, ...]:
    return rows.fetchall()[0]


def _wrong(column: Column) -> str:
    holds_nul = f'contains("{column.name}", chr(0))'
    return f'({holds_nul} or length("{column.name}") > {LONGEST_KEY_TEXT})' if column.kind == "key_text" else holds_nul


def counted(shape: Shape, rows: duckdb.DuckDBPyRelation) -> tuple[int, Sums]:
    """Return how many delivered rows there are, and the exact sum of each numeric column."""
    count, sums = 0, dict[str, Decimal | None]({each.name: None for each in shape.numbers})
    for batch in rows.to_arrow_reader(_ROWS_AT_ONCE):
        count += len(batch)
        for each in shape.numbers:
            total = pc.sum(batch.column(each.name).cast(pa.decimal256(_WIDEST, each.places))).as_py()
            if total is not None:
                sums[each.name] = _EXACT.add(sums[each.name] or Decimal(), total)
    places = {each.name: each.places for each in shape.numbers}
    return count, {name: None if total is None else plain(total, places[name]) for name, total in sums.items()}


def plain(amount: Decimal | int, places: int) -> str:
    """Return a sum as exact text with all its places."""
    return format(Decimal(amount).quantize(Decimal(1).scaleb(-places), context=_EXACT), "f")


def chunks(rows: duckdb.DuckDBPyRelation, size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows as Python values, some at once, for drivers that take no other."""
    for batch in rows.to_arrow_reader(size):
        yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def published(shape: Shape, schema: pa.Schema, read: Iterator[Sequence[Sequence[Any]]]) -> pa.Table:
    """Return rows that a database gave as they were published, to the last digit.

    Args:
        shape: how they were delivered.
        schema: names and types that they were published with.
        read: rows in the order of the shape's columns, some at once.
    """
    places = {each.source: place for place, each in enumerate(shape.columns)}
    batches = []
    for chunk in read:
        columns = list(zip(*chunk, strict=True))
        arrays = [_array(shape.columns[places[each.name]], columns[places[each.name]], each.type) for each in schema]
        batches.append(pa.record_batch(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _array(column: Column, values: Sequence[Any], wanted: pa.DataType) -> pa.Array:
    if column.in_units:
        return pa.array([None if each is None else int(each.scaleb(2)) for each in values], wanted)
    if column.kind == "instant":
        return pa.array([None if each is None else each.astimezone(UTC) for each in values], wanted)
    if column.kind == "decimal":
        # As they were written, however many places they have there.
        return pa.array(values, pa.decimal128(column.digits, column.places)).cast(wanted)
    return pa.array(values, wanted)
