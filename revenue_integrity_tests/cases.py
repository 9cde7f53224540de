"""Running a case: a landing zone through ingestion and every rule, with plain DuckDB, and comparing with what it must give.

Dagster has no part in this: a case fixes cents, not orchestration.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from revenue_integrity import months, output
from revenue_integrity.landing.datasets import read_batches, read_quarantine
from revenue_integrity.landing.ingest import ingest
from revenue_integrity.model.rule import Reads, Rule
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import Settings
from revenue_integrity.streams.colocation.stream import COLOCATION
from revenue_integrity.warehouse import database
from revenue_integrity.warehouse.storage import read_partitions, rows_of_query, write_partition


@contextmanager
def computed_case(
    settings: Settings, stream: Stream = COLOCATION, *tables: str, wanted: Sequence[date] = ()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Ingest the landing zone of the settings and compute every table for every month; yield the open warehouse.

    Where ``tables`` are named, only these are computed, and what is behind them; the months in the order that is ``wanted``.
    """
    with database.connect(settings) as connection:
        ingest(connection, settings.landing_path, stream.sources, settings)
        compute(connection, settings, only(stream, tables) if tables else stream, wanted or settings.months)
        yield connection


def only(stream: Stream, tables: Sequence[str]) -> Stream:
    """Return a stream with the rules of some tables and of all tables that they read, directly or not."""
    by_name = {rule.table.name: rule for rule in stream.rules}
    todo, found = list(tables), set[str]()
    while todo:
        name = todo.pop()
        if name in by_name and name not in found:
            found.add(name)
            todo.extend(reads.table for reads in by_name[name].reads if reads.layer != "raw")
    return replace(stream, rules=tuple(rule for name, rule in by_name.items() if name in found))


def compute(connection: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, wanted: Sequence[date]) -> None:
    """Compute every table of some months, table by table."""
    tables = {rule.table.qualified: rule.table for rule in stream.rules}

    def frame(reads: Reads, month: date) -> pd.DataFrame:
        first = reads.first_offset if reads.first_offset is not None else -1200
        window = list(months.between(months.add(month, first), months.add(month, reads.last_offset)))
        wanted = [each for each in window if each in settings.months]
        return read_partitions(connection, tables[reads.qualified], wanted, reads.columns)

    def run(rule: Rule, month: date) -> None:
        if rule.queries is not None:
            frames = {name: rows_of_query(connection, query) for name, query in rule.queries(month, settings).items()}
        else:
            frames = {} if rule.is_query else {each.table: frame(each, month) for each in rule.reads if each.layer != "raw"}
        connection.begin()
        write_partition(connection, rule.table, month, rule.function(month, settings, **frames))
        connection.commit()

    for rule in stream.rules_in_order():
        for month in wanted:
            run(rule, month)


def dataset_rows(connection: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, dataset: str) -> list[dict[str, str]]:
    """Return a dataset of all months as the texts that an export prints."""
    if dataset == "batches":
        frame = read_batches(connection, stream.name)
    elif dataset == "quarantine":
        frame = read_quarantine(connection, stream.name)
    else:
        (table,) = [rule.table for rule in stream.rules if rule.table.name == dataset]
        frame = read_partitions(connection, table, settings.months)
    return [{name: output.text(value) for name, value in row.items()} for row in output.plain_rows(frame)]


def expected_rows(file: Path) -> list[dict[str, str]]:
    """Return what a case must give, as text."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def difference(expected: list[dict[str, str]], found: list[dict[str, str]], columns: Sequence[str]) -> str:
    """Return how the rows differ in some columns, empty if they do not; order does not matter, numbers compare by value."""
    left = sorted(_comparable(row, columns) for row in expected)
    right = sorted(_comparable(row, columns) for row in found)
    if left == right:
        return ""
    missing = _without(left, right)
    extra = _without(right, left)
    shown = [f"  expected {dict(zip(columns, row, strict=True))}" for row in missing[:5]]
    shown += [f"  found    {dict(zip(columns, row, strict=True))}" for row in extra[:5]]
    return f"{len(missing)} rows expected and not found, {len(extra)} found and not expected\n" + "\n".join(shown)


def _comparable(row: dict[str, str], columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(row[column] for column in columns)


def _without(rows: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    from collections import Counter

    return sorted((Counter(rows) - Counter(others)).elements())
