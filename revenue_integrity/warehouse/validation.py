"""Judging rows by their table's declaration: frames by pandera, rows in the engine by the same rules as one query.

Belongs here: the translator from column rules to SQL, and what a violation looks like. Does not belong here: checks of
meaning (each stream's ``checks``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.warehouse.table import Column, Table

if TYPE_CHECKING:
    import pandera.pandas as pa

SAMPLE_ROWS = 20


@dataclass(frozen=True)
class Violation:
    """A rule that rows break: which, how many, and some of them."""

    rule: str
    rows: int
    sample: pd.DataFrame


class SchemaViolation(RevenueIntegrityError):  # noqa: N818 -- it is a verdict on rows, not a malfunction
    """Rows do not fit the table's declaration; nothing of them was written."""

    def __init__(self, table: Table, partition: date, violations: list[Violation]) -> None:
        self.table = table
        self.violations = violations
        told = "; ".join(f"{violation.rule} ({violation.rows} rows)" for violation in violations)
        super().__init__(f"{table.qualified} {partition:%Y-%m}: {told}", "Nothing was written; what stood there is unchanged")


@dataclass(frozen=True)
class ColumnRule:
    """One rule of a declaration: in words, and as an SQL predicate that is true of rows that break it."""

    words: str
    broken: str


def _literal(value: str | Decimal | int) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _rules_of(column: Column) -> Iterator[ColumnRule]:
    name, quoted = column.name, f'"{column.name}"'
    if not column.nullable:
        yield ColumnRule(f"{name} is empty", f"{quoted} is null")
    if column.isin:
        values = sorted(column.isin)
        listed = ", ".join(_literal(value) for value in values)
        yield ColumnRule(f"{name} is none of {', '.join(values)}", f"{quoted} not in ({listed})")
    if column.pattern:
        # What stands for the end of a value in Python's expressions, the engine names by the small letter.
        broken = f"not regexp_matches({quoted}, {_literal(_whole(column.pattern, 'z'))})"
        yield ColumnRule(f"{name} does not match {_whole(column.pattern)}", broken)
    if column.ge is not None:
        yield ColumnRule(f"{name} is below {column.ge}", f"{quoted} < {_literal(column.ge)}")
    if column.le is not None:
        yield ColumnRule(f"{name} is above {column.le}", f"{quoted} > {_literal(column.le)}")


def _whole(pattern: str, end: str = "Z") -> str:
    """Return the expression of a whole value that matches a pattern; Python's $ also stands before a last newline."""
    return rf"^(?:{pattern})\{end}"


@cache
def column_rules(table: Table) -> tuple[ColumnRule, ...]:
    """Return the rules of a table's columns; types are kept by the engine itself."""
    return tuple(rule for column in table.schema.values() for rule in _rules_of(column))


def validate_rows(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    partition: date,
    where: str = "",
    given: Mapping[str, object] | None = None,
) -> None:
    """Judge the rows of a partition where they stand; raise ``SchemaViolation`` if a rule is broken or a key stands twice.

    With ``where`` (and its parameters) only rows are judged for which it holds: those of slices that were written.
    """
    rules = column_rules(table)
    given = dict(given) if given else {"partition": partition}
    rows = f"from {table.qualified} where {where}" if where else f'from {table.qualified} where "{table.partition}" = $partition'
    counts = ", ".join(f"count(*) filter (where {rule.broken})" for rule in rules)
    (found,) = connection.execute(f"select {counts} {rows}", given).fetchall()
    violations = [
        Violation(rule.words, broken, _sample(connection, f"select * {rows} and ({rule.broken})", given))
        for rule, broken in zip(rules, found, strict=True)
        if broken
    ]
    keys = ", ".join(f'"{column}"' for column in table.key)
    twice = f"select {keys}, count(*) as rows {rows} group by {keys} having count(*) > 1"
    ((duplicated,),) = connection.execute(f"select count(*) from ({twice})", given).fetchall()
    if duplicated:
        words = f"the key ({', '.join(table.key)}) stands more than once"
        violations.append(Violation(words, duplicated, _sample(connection, twice, given)))
    if violations:
        raise SchemaViolation(table, partition, violations)


def _sample(connection: duckdb.DuckDBPyConnection, sql: str, given: Mapping[str, object]) -> pd.DataFrame:
    return connection.sql(f"select * from ({sql}) order by all limit {SAMPLE_ROWS}", params=dict(given)).df()


@cache
def _pandera_schema(table: Table) -> "pa.DataFrameSchema":
    """Return the declaration of a table as pandera judges frames by it."""
    # Most tables never enter Python, and most commands judge no frame: they do not wait for it.
    import pandera.pandas as pa

    def rules(column: Column) -> Iterator[pa.Check]:
        if column.isin:
            yield pa.Check.isin(list(column.isin))
        if column.pattern:
            yield pa.Check.str_matches(_whole(column.pattern))
        if column.ge is not None:
            yield pa.Check.ge(column.ge)
        if column.le is not None:
            yield pa.Check.le(column.le)

    columns = {
        name: pa.Column(column.dtype, checks=list(rules(column)), nullable=column.nullable, name=name)
        for name, column in table.schema.items()
    }
    return pa.DataFrameSchema(columns, name=table.name, strict=True, ordered=False, unique=list(table.key))


def validate_frame(table: Table, partition: date, frame: pd.DataFrame) -> None:
    """Judge a frame by its table's declaration, all rules at once; raise ``SchemaViolation``."""
    from pandera.errors import SchemaErrors

    try:
        _pandera_schema(table).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
        violations = [
            Violation(f"{column or table.name}: {rule}", len(group), group.head(SAMPLE_ROWS))
            for (column, rule), group in cases.groupby([cases["column"].astype(object), cases["check"].astype(str)], dropna=False)
        ]
        raise SchemaViolation(table, partition, violations) from error
