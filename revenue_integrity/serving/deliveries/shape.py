"""How a dataset looks where it is delivered: names, types, key and indexes of its columns, whatever the database.

Belongs here: the one place where that is decided, and the values that follow from it. Does not belong here: the types of a
database (``tables``), which datasets are delivered (``contents``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from revenue_integrity.canonical import sha256_of
from revenue_integrity.errors import DeliveryError
from revenue_integrity.model.table import Table

Money = Literal["units", "cents"]
Kind = Literal["text", "key_text", "whole", "decimal", "flag", "day", "instant"]

LONGEST_KEY_TEXT = 400
"""Characters of text in keys and indexes: more, and some database could not index it."""

LONGEST_NAME = 63
"""Bytes of a name: PostgreSQL cuts longer ones."""

CENTS = "_cents"

VISIBLE = "_visible"
"""How the view is called that readers of a dataset with hidden columns have instead of its table."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_KINDS: dict[str, Kind] = {"BIGINT": "whole", "BOOLEAN": "flag", "DATE": "day", "TIMESTAMP WITH TIME ZONE": "instant"}


@dataclass(frozen=True)
class Column:
    """A column where it is delivered.

    Attributes:
        name: what it is called there.
        source: the dataset's column that it holds.
        kind: what it holds; text in a key or an index is bounded.
        digits, places: of a decimal.
        in_key: whether it is a part of the key, and so never null.
        in_units: whether whole cents became currency units.
        description: what it means, with its unit.
    """

    name: str
    source: str
    kind: Kind
    digits: int
    places: int
    in_key: bool
    in_units: bool
    description: str

    @property
    def is_number(self) -> bool:
        """Whether its values add up."""
        return self.kind in ("whole", "decimal")

    @property
    def expression(self) -> str:
        """Its value in the engine, made of the dataset's column."""
        quoted = f'"{self.source}"'
        return f"({quoted}::decimal(19,0) * 0.01::decimal(3,2))::decimal(19,2)" if self.in_units else quoted


@dataclass(frozen=True, eq=False)
class Shape:
    """A dataset where it is delivered.

    Attributes:
        dataset: its name, also there.
        description: grain and purpose.
        columns: in order.
        key: the names of the columns that tell its rows apart; empty where some of them may be null.
        indexes: further ones, by the names of their columns.
        month: the column of the month that a row belongs to; empty for a dataset without months.
    """

    dataset: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    month: str

    @cached_property
    def schema_hash(self) -> str:
        """What tells a table that looks otherwise: names, types, key, indexes, and no words."""
        columns = [[each.name, each.kind, each.digits, each.places, each.in_key] for each in self.columns]
        return sha256_of([columns, list(self.key), [list(each) for each in self.indexes]])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(each.name for each in self.columns)

    @property
    def view(self) -> str:
        """What the view is called that shows all columns but hidden ones."""
        return f"{self.dataset[: LONGEST_NAME - len(VISIBLE)]}{VISIBLE}"

    @property
    def numbers(self) -> list[Column]:
        """The columns whose sums are compared."""
        return [each for each in self.columns if each.is_number]

    def hidden(self, hide: Sequence[str]) -> tuple[str, ...]:
        """Return which of its columns some names mean, given as they are called there or in the dataset."""
        return tuple(each.name for each in self.columns if each.name in hide or each.source in hide)


def shape_of(table: Table, money: Money, currency: str) -> Shape:
    """Return how a dataset is delivered.

    Money leaves in currency units where that is asked for: ``x_cents`` as ``x``, unless the table has an ``x``.

    Raises:
        DeliveryError: a name is too long.
    """
    month = table.partition if table.partition in table.columns else ""
    identity = tuple(dict.fromkeys([*([month] if month else []), *table.identity]))
    bounded = {*identity, *(name for index in table.indexes for name in index)}
    # Of what may be empty no database makes a key.
    key = identity if not table.also_named_by else ()
    columns = tuple(_column(table, name, money, currency, in_key=name in key, bounded=name in bounded) for name in table.columns)
    named = {each.source: each.name for each in columns}
    indexes = (*([identity] if not key else []), *table.indexes)
    for name in (table.name, *named.values()):
        if len(name.encode()) > LONGEST_NAME:
            raise DeliveryError(
                f"{table.name}: the name {name} has more than {LONGEST_NAME} bytes, which databases cut", "Give it a shorter one"
            )
    return Shape(
        table.name,
        table.description,
        columns,
        tuple(named[name] for name in key),
        tuple(tuple(named[name] for name in index) for index in indexes),
        named[month] if month else "",
    )


def _column(table: Table, source: str, money: Money, currency: str, *, in_key: bool, bounded: bool) -> Column:
    bare = source.removesuffix(CENTS)
    in_units = (
        money == "units"
        and table.sql_type(source) == "BIGINT"
        and source.endswith(CENTS)
        and bool(bare)
        and bare not in table.columns
    )
    found = _DECIMAL.fullmatch(table.sql_type(source))
    kind: Kind = "decimal" if found or in_units else _KINDS.get(table.sql_type(source), "key_text" if bounded else "text")
    digits, places = (19, 2) if in_units else (int(found[1]), int(found[2])) if found else (0, 0)
    unit = currency if in_units else table.unit(source)
    words = str(table.schema.columns[source].description or "")
    described = f"{words} [{unit}]" if unit else words
    return Column(bare if in_units else source, source, kind, digits, places, in_key, in_units, described)
