"""Judging rows by their table's declaration: frames by pandera, rows in the engine by the same rules as one query.

Belongs here: the translator from column rules to SQL, and what a violation looks like. Does not belong here: checks of
meaning (each stream's ``checks``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pandas as pd
import pandera.pandas as pa

from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.table import Table

SAMPLE_ROWS = 20


@dataclass(frozen=True)
class Violation:
    """A rule that rows break: which, how many, and some of them."""

    rule: str
    rows: int
    sample: pd.DataFrame


class SchemaViolation(RevenueIntegrityError):  # noqa: N818 -- it is a verdict on rows, not a malfunction
    """Rows do not fit the table's declaration; nothing of them was written."""

    def __init__(self, table: Table, partition: date | None, violations: list[Violation]) -> None:
        self.table = table
        self.violations = violations
        told = "; ".join(f"{violation.rule} ({violation.rows} rows)" for violation in violations)
        named = table.qualified if partition is None else f"{table.qualified} {partition:%Y-%m}"
        super().__init__(f"{named}: {told}", "Nothing was written; what stood there is unchanged")


@dataclass(frozen=True)
class ColumnRule:
    """One rule of a declaration: in words, and as an SQL predicate that is true of rows that break it."""

    words: str
    broken: str


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Decimal | int):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise TypeError(f"a column rule compares with {value!r}, which has no SQL form")


def _check_rules(column: str, checks: list[pa.Check]) -> Iterator[ColumnRule]:
    quoted = f'"{column}"'
    for check in checks:
        given = check.statistics or {}
        match check.name:
            case "greater_than_or_equal_to":
                yield ColumnRule(f"{column} is below {given['min_value']}", f"{quoted} < {_literal(given['min_value'])}")
            case "less_than_or_equal_to":
                yield ColumnRule(f"{column} is above {given['max_value']}", f"{quoted} > {_literal(given['max_value'])}")
            case "isin":
                values = sorted(given["allowed_values"])
                listed = ", ".join(_literal(value) for value in values)
                yield ColumnRule(f"{column} is none of {', '.join(map(str, values))}", f"{quoted} not in ({listed})")
            case "str_matches":
                pattern = given["pattern"]
                pattern = str(getattr(pattern, "pattern", pattern))
                in_engine = pattern.removesuffix(r"\Z") + r"\z" if pattern.endswith(r"\Z") else pattern
                yield ColumnRule(f"{column} does not match {pattern}", f"not regexp_matches({quoted}, {_literal(in_engine)})")
            case other:
                raise TypeError(f"column {column}: the rule '{other}' has no SQL form; use ge, le, isin or str_matches")


@cache
def column_rules(table: Table) -> tuple[ColumnRule, ...]:
    """Return the rules of a table's columns; types are kept by the engine itself.

    Raises:
        TypeError: the declaration holds a rule that cannot be judged in the engine.
    """
    rules: list[ColumnRule] = []
    for name, column in table.schema.columns.items():
        if not column.nullable:
            rules.append(ColumnRule(f"{name} is empty", f'"{name}" is null'))
        rules += _check_rules(name, column.checks)
    return tuple(rules)


def validate_rows(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    partition: date | None,
    where: str = "",
    given: Mapping[str, object] | None = None,
) -> None:
    """Judge the rows of a partition where they stand; raise ``SchemaViolation`` if a rule is broken or a key stands twice.

    With ``where`` (and its parameters) only rows are judged for which it holds: those of slices that were written.
    """
    rules = column_rules(table)
    if not where:
        where = "true" if partition is None else f'"{table.partition}" = $partition'
        given = {} if partition is None else {"partition": partition}
    given = dict(given or {})
    rows = f"from {table.qualified} where {where}"
    counts = ", ".join(f"count(*) filter (where {rule.broken})" for rule in rules)
    (found,) = connection.execute(f"select {counts} {rows}", given).fetchall()
    violations = [
        Violation(rule.words, broken, _sample(connection, f"select * {rows} and ({rule.broken})", given))
        for rule, broken in zip(rules, found, strict=True)
        if broken
    ]
    keys = ", ".join(f'"{column}"' for column in table.key)
    twice = f"select {keys}, count(*) as rows {rows} group by {keys} having count(*) > 1"
    # All rows are of one partition: to group by its column as well would cost as much as any other column of the key.
    apart = ", ".join(f'"{column}"' for column in table.key if column != table.partition) or keys
    counted = f"select count(*) from (select 1 {rows} group by {apart} having count(*) > 1)"
    ((duplicated,),) = connection.execute(counted, given).fetchall()
    if duplicated:
        words = f"the key ({', '.join(table.key)}) stands more than once"
        violations.append(Violation(words, duplicated, _sample(connection, twice, given)))
    if violations:
        raise SchemaViolation(table, partition, violations)


def _sample(connection: duckdb.DuckDBPyConnection, sql: str, given: Mapping[str, object]) -> pd.DataFrame:
    return connection.sql(f"select * from ({sql}) order by all limit {SAMPLE_ROWS}", params=dict(given)).df()


def validate_frame(table: Table, partition: date | None, frame: pd.DataFrame) -> None:
    """Judge a frame by its table's pandera schema, all rules at once; raise ``SchemaViolation``."""
    try:
        table.schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        violations = [
            Violation(f"{column or table.name}: {rule}", len(group), group.head(SAMPLE_ROWS))
            for (column, rule), group in cases.groupby([cases["column"].astype(object), cases["check"].astype(str)], dropna=False)
        ]
        raise SchemaViolation(table, partition, violations) from error
