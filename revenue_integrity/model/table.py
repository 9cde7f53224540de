"""What a table is: one declaration that makes its DDL, its validation, its column schema in the UI and its dictionary page.

Belongs here: the vocabulary of columns and the ``Table`` that holds a pandera schema with its place and key.
Does not belong here: the tables themselves (each stream's ``schemas``), running SQL, Dagster.

How a column looks in pandas: text ``object`` (``str`` or ``None``); integer ``int64``, nullable ``Int64``; flag ``bool``,
nullable ``boolean``; decimal ``object`` of ``Decimal``; date ``datetime64[us]``; instant ``datetime64[us, UTC]``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

import pandas as pd
import pandera.pandas as pa

Layer = Literal["raw", "curated", "gold", "mart", "recon", "close"]


def _column(name: str, dtype: Any, sql: str, description: str, unit: str, null: bool, checks: Sequence[pa.Check]) -> pa.Column:
    return pa.Column(
        dtype,
        checks=list(checks),
        nullable=null,
        name=name,
        description=description,
        metadata={"sql": sql, "unit": unit},
    )


def text(
    name: str, description: str, *, null: bool = False, isin: Sequence[str] = (), pattern: str = "", unit: str = ""
) -> pa.Column:
    """Return a text column, optionally of a closed set of values or of one pattern (whole value)."""
    checks = [pa.Check.isin(list(isin))] if isin else []
    if pattern:
        # Python's $ also stands before a last newline; \Z does not (the engine's name for it is \z, see ``validation``).
        checks.append(pa.Check.str_matches(rf"^(?:{pattern})\Z"))
    return _column(name, object, "VARCHAR", description, unit, null, checks)


def _range(ge: Any, le: Any) -> list[pa.Check]:
    return ([pa.Check.ge(ge)] if ge is not None else []) + ([pa.Check.le(le)] if le is not None else [])


def integer(
    name: str, description: str, *, unit: str = "", null: bool = False, ge: int | None = None, le: int | None = None
) -> pa.Column:
    """Return a 64-bit integer column."""
    return _column(name, pd.Int64Dtype() if null else "int64", "BIGINT", description, unit, null, _range(ge, le))


def money(name: str, description: str, *, null: bool = False, ge: int | None = None) -> pa.Column:
    """Return a column of whole cents."""
    return integer(name, description, unit="cents", null=null, ge=ge)


def decimal(
    name: str,
    description: str,
    *,
    unit: str,
    places: int = 6,
    null: bool = False,
    ge: Decimal | int | None = None,
    le: Decimal | int | None = None,
    digits: int = 18,
) -> pa.Column:
    """Return an exact decimal column, by default ``DECIMAL(18,6)``."""
    bounds = _range(None if ge is None else Decimal(ge), None if le is None else Decimal(le))
    return _column(name, object, f"DECIMAL({digits},{places})", description, unit, null, bounds)


def ratio(name: str, description: str, *, unit: str = "fraction") -> pa.Column:
    """Return a derived ratio: 6 places, null where its base is 0 or missing."""
    return decimal(name, description, unit=unit, null=True)


def flag(name: str, description: str, *, null: bool = False) -> pa.Column:
    """Return a true/false column."""
    return _column(name, pd.BooleanDtype() if null else "bool", "BOOLEAN", description, "", null, [])


def day(name: str, description: str, *, null: bool = False) -> pa.Column:
    """Return a calendar date column."""
    return _column(name, "datetime64[us]", "DATE", description, "date", null, [])


def month(description: str = "Service month, as the date of its first day; exported as YYYY-MM.") -> pa.Column:
    """Return the partition column ``month``."""
    return day("month", description)


def month_named(name: str, description: str, *, null: bool = False) -> pa.Column:
    """Return a column of another month than the partition's, as the date of its first day; exported as YYYY-MM.

    Raises:
        ValueError: the name does not say so; what is exported goes by the name.
    """
    if not name.endswith("_month"):
        raise ValueError(f"{name}: the name of a month ends with _month")
    return day(name, description, null=null)


def instant(name: str, description: str, *, null: bool = False) -> pa.Column:
    """Return a column of instants in UTC, to the microsecond."""
    return _column(name, "datetime64[us, UTC]", "TIMESTAMP WITH TIME ZONE", description, "UTC", null, [])


def json_text(name: str, description: str, *, null: bool = False) -> pa.Column:
    """Return a column of JSON text."""
    return _column(name, object, "VARCHAR", description, "JSON", null, [])


@dataclass(frozen=True, eq=False)
class Table:
    """A table: where it stands, its key and its columns.

    Attributes:
        stream: the line of business data it belongs to (also its Dagster group).
        layer: the warehouse schema it stands in.
        name: its name, which is also the dataset's.
        description: grain and purpose, one or two sentences.
        key: the columns that name a row; never null, unique together.
        schema: the pandera schema of the columns, in order.
        also_named_by: columns that may be empty and name a row together with the key, where the key alone does not.
        owner: who answers for it (a team, for the UI and the dictionary).
        partition: the DATE column that slices it by month (``month``).
        content_excludes: run-time columns, which are no content and never hashed.
        slice_column: for a table that is kept in slices of its months, the DATE column that names the slice (``usage_date``);
            each slice has a hash of its own, and only slices that differ are written.
        published_slices: whether each slice is published as a file of its own instead of one file a month. (A table with a
            ``tenant_id`` is published in parts, one per tenant.)
        formerly: columns by the name that the release before gave them. What is published carries both for one release, the
            former ones as copies that are no content; what an earlier release left behind is read under the names of today.
        hashed_as: columns by the name that stands for them in a content hash, where it is not their own.
        indexes: columns by which whoever reads it in a database looks for rows, beside its key; one index for each.
    """

    stream: str
    layer: Layer
    name: str
    description: str
    key: tuple[str, ...]
    schema: pa.DataFrameSchema
    owner: str = "team:finance-operations"
    partition: str = "month"
    content_excludes: tuple[str, ...] = ()
    slice_column: str = ""
    published_slices: bool = False
    also_named_by: tuple[str, ...] = ()
    formerly: Mapping[str, str] = field(default_factory=dict)
    hashed_as: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns by which a row is told from all others, and by which rows are ordered."""
        return self.key + self.also_named_by

    @property
    def part_columns(self) -> tuple[str, ...]:
        """The columns that name a part of its published month; empty where a month is one file."""
        if "tenant_id" not in self.schema.columns:
            return ()
        return ("tenant_id", self.slice_column) if self.published_slices else ("tenant_id",)

    @property
    def qualified(self) -> str:
        """Schema and name, as SQL names it."""
        return f"{self.layer}.{self.name}"

    @property
    def asset_key(self) -> tuple[str, str, str]:
        """Stream, layer and name: the Dagster asset key."""
        return (self.stream, self.layer, self.name)

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        return list(self.schema.columns)

    @property
    def published_columns(self) -> list[str]:
        """Column names in the order of published files: those of the table, then the copies under former names."""
        return [*self.columns, *(former for name, former in self.formerly.items() if name in self.columns)]

    def only(self, columns: Sequence[str]) -> "Table":
        """Return the same table with some of its columns alone."""
        return replace(self, schema=self.schema.select_columns(list(columns)))

    def renamed(self, names: Mapping[str, str]) -> "Table":
        """Return the same table with some columns under other names."""
        return replace(self, schema=self.schema.rename_columns({name: names[name] for name in self.columns if name in names}))

    def sql_type(self, column: str) -> str:
        """Return the DuckDB type of a column."""
        return str(self.schema.columns[column].metadata["sql"])

    def unit(self, column: str) -> str:
        """Return the unit of a column, empty where it has none."""
        return str(self.schema.columns[column].metadata["unit"])


def table(
    stream: str,
    layer: Layer,
    name: str,
    description: str,
    key: Sequence[str],
    columns: Sequence[pa.Column],
    **more: Any,
) -> Table:
    """Declare a table. The key columns must be among the columns and must not be nullable.

    Raises:
        ValueError: a name stands twice, the key is not made of columns that are never null, or an index names no column.
    """
    by_name = {column.name: column for column in columns}
    if len(by_name) != len(columns):
        raise ValueError(f"{name}: a column is declared twice")
    wrong = [column for column in key if column not in by_name or by_name[column].nullable]
    if wrong:
        raise ValueError(f"{name}: key columns {wrong} are missing or nullable")
    strange = [each for index in more.get("indexes", ()) for each in index if each not in by_name]
    if strange:
        raise ValueError(f"{name}: an index names {strange}, which are no columns")
    schema = pa.DataFrameSchema(by_name, name=name, strict=True, ordered=False, unique=list(key))
    return Table(stream, layer, name, description, tuple(key), schema, **more)
