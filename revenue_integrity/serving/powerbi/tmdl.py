"""A semantic model as TMDL, Microsoft's text form of it.

Belongs here: how a model is written. Does not belong here: what is in it (``model``), queries (``sources``).
"""

import re
from collections.abc import Callable, Iterator, Sequence

from revenue_integrity.model.powerbi import CALENDAR, CALENDAR_MONTH
from revenue_integrity.serving.powerbi.model import Column, Measured, Model, ModelTable, Relation
from revenue_integrity.serving.powerbi.sources import Source, query

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_CALENDAR_COLUMNS = (
    ("month", "dateTime", "yyyy-mm", "First day of the service month."),
    ("year", "int64", "0", "Year."),
    ("quarter", "int64", "0", "Quarter of the year."),
    ("month_no", "int64", "0", "Month of the year."),
)

Tag = Callable[[str], str]
"""Makes the tag by which something keeps its identity whatever it is called later."""


def database() -> str:
    """Return the file of the database: what the model demands of whoever opens it."""
    return "database\n\tcompatibilityLevel: 1600\n"


def model(made: Model) -> str:
    """Return the file of the model, which lists its tables."""
    lines = [
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "\tdiscourageImplicitMeasures",
        "\tsourceQueryCulture: en-US",
        "\tdataAccessOptions",
        "\t\tlegacyRedirects",
        "\t\treturnErrorValuesAsNull",
        "",
        *(f"ref table {_name(name)}" for name in (CALENDAR, *(table.name for table in made.tables))),
    ]
    return _file(lines)


def expressions(source: Source, tag: Tag) -> str:
    """Return the file of the parameters."""
    lines: list[str] = []
    for name, value in source.parameters.items():
        meta = 'meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
        lines += [f"expression {_name(name)} = {_m_text(value)} {meta}", f"\tlineageTag: {tag(f'expression {name}')}", ""]
    return _file(lines[:-1])


def relationships(relations: Sequence[Relation], tag: Tag) -> str:
    """Return the file of the relations."""
    lines: list[str] = []
    for each in relations:
        lines.append(f"relationship {tag(f'relation {each.table}.{each.column} {each.to_table}.{each.to_column}')}")
        lines += [] if each.is_active else ["\tisActive: false"]
        lines += [
            f"\tfromColumn: {_name(each.table)}.{_name(each.column)}",
            f"\ttoColumn: {_name(each.to_table)}.{_name(each.to_column)}",
            "",
        ]
    return _file(lines[:-1])


def table(made: ModelTable, source: Source, tag: Tag) -> str:
    """Return the file of a table."""
    lines = [*_described(made.table.description), f"table {_name(made.name)}", f"\tlineageTag: {tag(f'table {made.name}')}", ""]
    for measure in made.measures:
        lines += [*_measure(measure, tag), ""]
    for column in made.columns:
        lines += [*_column(column, tag(f"column {made.name}.{column.name}")), ""]
    return _file([*lines, *_partition(made.name, query(source, made))])


def calendar(rows: Sequence[str], tag: Tag) -> str:
    """Return the file of the table of months."""
    lines = [
        "/// Service months, to which every table with months refers.",
        f"table {CALENDAR}",
        f"\tlineageTag: {tag(f'table {CALENDAR}')}",
        "\tdataCategory: Time",
        "",
    ]
    for name, data_type, shown, description in _CALENDAR_COLUMNS:
        lines += [
            f"\t/// {description}",
            f"\tcolumn {name}",
            f"\t\tdataType: {data_type}",
            *(["\t\tisKey"] if name == CALENDAR_MONTH else []),
            f"\t\tformatString: {shown}",
            f"\t\tlineageTag: {tag(f'column {CALENDAR}.{name}')}",
            "\t\tsummarizeBy: none",
            f"\t\tsourceColumn: {name}",
            "",
        ]
    return _file([*lines, *_partition(CALENDAR, rows)])


def _measure(measure: Measured, tag: Tag) -> Iterator[str]:
    yield from _described(measure.description, 1)
    yield f"\tmeasure {_name(measure.name)} = {measure.dax}"
    yield f"\t\tformatString: {measure.shown}"
    yield f"\t\tlineageTag: {tag(f'measure {measure.name}')}"


def _column(column: Column, tag: str) -> Iterator[str]:
    yield from _described(column.description, 1)
    yield f"\tcolumn {_name(column.name)}"
    yield f"\t\tdataType: {column.data_type}"
    if column.is_hidden:
        yield "\t\tisHidden"
    if column.shown:
        yield f"\t\tformatString: {column.shown}"
    yield f"\t\tlineageTag: {tag}"
    yield f"\t\tsummarizeBy: {'sum' if column.is_added else 'none'}"
    yield f"\t\tsourceColumn: {column.name}"


def _partition(name: str, rows: Sequence[str]) -> Iterator[str]:
    yield f"\tpartition {_name(name)} = m"
    yield "\t\tmode: import"
    yield "\t\tsource ="
    yield from (f"\t\t\t\t{row}" for row in rows)


def _described(description: str, depth: int = 0) -> Iterator[str]:
    words = " ".join(description.split())
    if words:
        yield "\t" * depth + f"/// {words}"


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"


def _m_text(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _file(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
