"""The semantic model: what its tables, relations and measures are, all that exists and nothing else.

Belongs here: from declared tables and what streams say (``model.powerbi``) to tables, columns, relations and measures as they are
called in the model. Does not belong here: how these are written (``tmdl``), the report (``report``).

Names, units and kinds are those of a delivery in currency units (``serving.deliveries.shape``), so that the model is the same
whatever it reads.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.powerbi import (
    CALENDAR,
    CALENDAR_COLUMNS,
    CALENDAR_MONTH,
    COLUMN,
    DaxMeasure,
    PowerBi,
    columns_in,
    measures_in,
)
from revenue_integrity.model.stream import Stream, loaded
from revenue_integrity.model.table import Table
from revenue_integrity.serving.deliveries.shape import CENTS, shape_of
from revenue_integrity.serving.deliveries.shape import Column as Delivered

DataType = Literal["string", "int64", "decimal", "double", "boolean", "dateTime"]

_TYPES: Mapping[str, DataType] = {"whole": "int64", "flag": "boolean", "day": "dateTime", "instant": "dateTime"}
_SHOWN: Mapping[DataType, str] = {"int64": "#,##0", "decimal": "#,##0.00", "double": "#,##0.00"}
_FIGURES = {"money": "#,##0.00", "whole": "#,##0", "share": "0.0%", "number": "#,##0.00"}
_SHARES = ("fraction",)
_NOT_ADDED = ("_id", "_key", "_no", "rank", "year", "version")
"""How columns end that are numbers and name something."""
_RATE = re.compile(r"(^|_)(price|rate|average|mean|share|pct)(_|$)")
"""What names of numbers hold that do not add up."""
_HIDDEN = ("_key", "row_key")


@dataclass(frozen=True)
class Column:
    """A column of the model.

    Attributes:
        name: what it is called.
        source: the dataset's column.
        data_type: what it holds.
        shown: its format.
        is_hidden: whether it is a key that no reader looks at.
        is_added: whether it adds up.
        is_money: whether it is whole cents that are shown in currency units.
        delivered: what a delivery in currency units calls it.
        kind: what a delivery calls its kind.
        description: what it means.
    """

    name: str
    source: str
    data_type: DataType
    shown: str
    is_hidden: bool
    is_added: bool
    is_money: bool
    delivered: str
    kind: str
    description: str


@dataclass(frozen=True)
class ModelTable:
    """A table of the model: a dataset with its columns and the measures that stand in it."""

    table: Table
    columns: tuple[Column, ...]
    measures: tuple["Measured", ...]

    @property
    def name(self) -> str:
        """What it is called, here and as a dataset."""
        return self.table.name


@dataclass(frozen=True)
class Measured:
    """A measure over the columns of the model."""

    name: str
    dax: str
    shown: str
    description: str


@dataclass(frozen=True)
class Relation:
    """Many rows of a table, each with one of another."""

    table: str
    column: str
    to_table: str
    to_column: str
    is_active: bool


@dataclass(frozen=True)
class Model:
    """Tables, relations and what the report shows."""

    tables: tuple[ModelTable, ...]
    relations: tuple[Relation, ...]
    said: tuple[PowerBi, ...]

    @cached_property
    def columns(self) -> Mapping[tuple[str, str], Column]:
        """The columns of all tables, by the dataset and its column."""
        return {(table.name, column.source): column for table in self.tables for column in table.columns}

    @cached_property
    def homes(self) -> Mapping[str, str]:
        """The table in which each measure stands."""
        return {measure.name: table.name for table in self.tables for measure in table.measures}


def said_by(stream: Stream) -> PowerBi:
    """Return what a stream says to a project; nothing where it says nothing."""
    return loaded(stream.powerbi) if stream.powerbi else PowerBi((), (), ())


def model_of(
    streams: Sequence[Stream], tables: Iterable[Table], currency: str, hidden: Collection[tuple[str, str]] = ()
) -> Model:
    """Return the model of some datasets of some streams, without columns that are hidden, by their dataset and name.

    What streams say of datasets and columns that are not among them is left out: it would name what is not there.

    Raises:
        RevenueIntegrityError: a stream says something of a column or a measure that no dataset of any stream has.
    """
    known = {table.name: table for table in tables}
    said = [said_by(stream) for stream in streams]
    _refuse_unknown(streams, said)
    names = {
        table.name: {
            each.source: each for each in shape_of(table, "units", currency).columns if (table.name, each.source) not in hidden
        }
        for table in known.values()
    }
    measures = _measures_that_can_be(said, names)
    pointing = {(name, each.column) for one in said for each in one.references for name in each.tables}
    made = tuple(
        ModelTable(
            table,
            tuple(_column(table, each, (table.name, each.source) in pointing) for each in names[table.name].values()),
            tuple(_measured(each, names) for each in measures if each.table == table.name),
        )
        for table in sorted(known.values(), key=lambda each: each.name)
    )
    return Model(made, tuple(_relations(said, known, names)), tuple(said))


def _column(table: Table, delivered: Delivered, is_pointing: bool) -> Column:
    unit, is_money = table.unit(delivered.source), _is_money(delivered)
    if is_money:
        kind: DataType = "decimal"
    else:
        kind = "double" if delivered.kind == "decimal" else _TYPES.get(delivered.kind, "string")
    is_share = unit in _SHARES
    shown = "0.0%" if is_share else _SHOWN.get(kind, "")
    names = delivered.source in table.identity or delivered.source.endswith(_NOT_ADDED)
    if kind == "int64" and names:
        shown = "0"
    if kind == "dateTime":
        is_month = delivered.source == table.partition or delivered.source.endswith("_month")
        shown = "yyyy-mm-dd hh:nn:ss" if delivered.kind == "instant" else "yyyy-mm" if is_month else "yyyy-mm-dd"
    is_amount = bool(unit) and not is_share and unit != "factor" and " per " not in unit and not _RATE.search(delivered.source)
    return Column(
        _name_of(delivered),
        delivered.source,
        kind,
        shown,
        is_pointing or delivered.source.endswith(_HIDDEN),
        kind in ("int64", "decimal", "double") and is_amount and not names and not is_pointing,
        is_money,
        delivered.name,
        delivered.kind,
        delivered.description,
    )


def _is_money(delivered: Delivered) -> bool:
    return delivered.in_units or (delivered.kind == "whole" and delivered.source.endswith(CENTS))


def _name_of(delivered: Delivered) -> str:
    """Return what a column is called: money in units never ``x_cents``, also where something else is called ``x``."""
    if _is_money(delivered) and not delivered.in_units:
        return f"{delivered.source.removesuffix(CENTS)}_amount"
    return delivered.name


def _measured(measure: DaxMeasure, names: Mapping[str, Mapping[str, Delivered]]) -> Measured:
    """Return a measure over columns as the model names them; the calendar's are no dataset's."""

    def renamed(dataset: str, column: str) -> str:
        return column if dataset == CALENDAR else _name_of(names[dataset][column])

    dax = COLUMN.sub(lambda found: f"'{found[1]}'[{renamed(found[1], found[2])}]", measure.dax)
    return Measured(measure.name, dax, _FIGURES[measure.figure], measure.description)


def _refuse_unknown(streams: Sequence[Stream], said: Sequence[PowerBi]) -> None:
    """Raise an error for a column or a measure that there is not, and for two measures of one name."""
    every = {table.name: set(table.columns) for stream in streams for table in stream.datasets}
    every[CALENDAR] = set(CALENDAR_COLUMNS)
    measures = [each.name for one in said for each in one.measures]
    wrong = sorted({name for name in measures if measures.count(name) > 1})
    for one in said:
        for each in one.measures:
            wrong += [
                f"{each.name}: '{table}'[{column}]"
                for table, column in columns_in(each.dax)
                if column not in every.get(table, ())
            ]
            wrong += [f"{each.name}: [{name}]" for name in measures_in(each.dax) if name not in measures]
        for page in one.pages:
            wrong += [
                f"{page.title}: {each.title}: {name}" for each in page.visuals for name in each.measures if name not in measures
            ]
            by = [page.slicer, *(column for each in page.visuals for column in each.by)]
            wrong += [f"{page.title}: '{table}'[{column}]" for table, column in by if column not in every.get(table, ())]
        for reference in one.references:
            ends = [*((table, reference.column) for table in reference.tables), (reference.to_table, reference.to_column)]
            wrong += [f"reference '{table}'[{column}]" for table, column in ends if column not in every.get(table, ())]
    if wrong:
        raise RevenueIntegrityError(f"what streams say to Power BI names what is not there: {', '.join(wrong)}", "Correct it")


def _measures_that_can_be(said: Sequence[PowerBi], names: Mapping[str, Mapping[str, Delivered]]) -> list[DaxMeasure]:
    """Return the measures all of whose columns and measures are in the model."""
    every = {each.name: each for one in said for each in one.measures}

    def can_be(measure: DaxMeasure) -> bool:
        places = [place for place in columns_in(measure.dax) if place[0] != CALENDAR]
        are_there = measure.table in names and all(column in names.get(table, ()) for table, column in places)
        return are_there and all(can_be(every[name]) for name in measures_in(measure.dax))

    return [each for each in every.values() if can_be(each)]


def _relations(
    said: Sequence[PowerBi], known: Mapping[str, Table], names: Mapping[str, Mapping[str, Delivered]]
) -> Iterator[Relation]:
    """Yield the relations, references before months; one that would be a second way between two tables is not active."""
    wanted = [
        (name, each.column, each.to_table, each.to_column)
        for one in said
        for each in one.references
        for name in each.tables
        if each.column in names.get(name, ()) and each.to_column in names.get(each.to_table, ())
    ]
    for name, _, to_table, to_column in wanted:
        if known[to_table].identity != (to_column,):
            raise RevenueIntegrityError(f"{name} refers to {to_table} by {to_column}, which names no row of it", "Correct it")
    # A dimension with months stands between them and what refers to it.
    dimensions = {to_table for _, _, to_table, _ in wanted}
    with_months = sorted(
        (name for name, table in known.items() if table.partition in names[name]),
        key=lambda name: (name not in dimensions, name),
    )
    wanted += [(name, known[name].partition, CALENDAR, CALENDAR_MONTH) for name in with_months]
    # From each table, the tables that filter it: itself, and those above it.
    above: dict[str, set[str]] = {name: {name} for name in (*known, CALENDAR)}
    for name, column, to_table, to_column in wanted:
        below = [each for each, over in above.items() if name in over]
        is_active = all(not above[each] & above[to_table] for each in below)
        if is_active:
            for each in below:
                above[each] |= above[to_table]
        yield Relation(name, column, to_table, to_column, is_active)
