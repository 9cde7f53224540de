"""One month of one table: its rows from its rule, unless they were made from what there is; written, put on record, judged.

Belongs here: what is done around a rule, whoever asks for it. Does not belong here: which months are computed and in which order,
how rows are written (``warehouse.storage``), what follows from a judgement, Dagster.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from revenue_integrity import months
from revenue_integrity.computing.staleness import present_fingerprint, stale_days
from revenue_integrity.computing.versions import reached_by_check, reached_by_rule, version_of_rule
from revenue_integrity.model.check import Check, Judgement
from revenue_integrity.model.query import Query, Sql, only_known
from revenue_integrity.model.rule import Reads, Rule
from revenue_integrity.model.stage import Stage
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse import catalog, database
from revenue_integrity.warehouse.engine import engine_of
from revenue_integrity.warehouse.storage import Sliced, Written, read_partitions, rows_of_query, write_partition

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Computed:
    """The rows of a month, and what they were made from.

    Attributes:
        value: the rows, or the query that makes them.
        fingerprint, code_version, settings, inputs: what goes on record (``catalog.PartitionRecord``).
        sliced: which slices are written, for a table that is kept in slices.
        stage: what the query reads, for a stage that an engine runs.
        sql: the SQL that the stage may load.
    """

    value: pd.DataFrame | Query
    fingerprint: str
    code_version: str
    settings: Mapping[str, str]
    inputs: Mapping[str, str]
    sliced: Sliced | None = None
    stage: Stage | None = None
    sql: frozenset[Sql] = frozenset()


@dataclass(frozen=True)
class Unchanged:
    """A month that was made from exactly what there is now: nothing is written."""

    rows: int
    content_hash: str


def made(rule: Rule, month: date, settings: Settings, frames: Mapping[str, pd.DataFrame]) -> Computed | Unchanged:
    """Return the rows of a rule's month, or that they stand as they are.

    ``frames`` are those of a rule over frames of whole tables (``frames_of``); one that runs queries reads them itself.
    """
    known, own = catalog.read_catalog(settings), settings.of_stream(rule.table.stream)
    fingerprint, inputs = present_fingerprint(rule, month, known, settings)
    recorded = known.partition(rule.table.qualified, month)
    if recorded is not None and recorded.fingerprint == fingerprint:
        return Unchanged(recorded.rows, recorded.content_hash)
    sql = reached_by_rule(rule).sql
    if rule.queries is not None:
        with only_known(sql):
            queries = rule.queries(month, own)
        with database.connect(settings) as connection:
            frames = {name: rows_of_query(connection, query) for name, query in queries.items()}
    with only_known(sql):
        rows = rule.function(month, own, **frames)
    version, used = version_of_rule(rule), own.values(*rule.settings)
    sliced = None
    if rule.stage is not None:
        sliced = Sliced(stale_days(recorded, version, used, inputs), recorded.slices if recorded else {})
    return Computed(rows, fingerprint, version, used, inputs, sliced, rule.stage, sql)


def reads_whole_tables(rule: Rule) -> bool:
    """Return whether a rule is handed frames of the tables that it reads; one that runs queries is not."""
    return not rule.is_query and rule.queries is None


def frames_of(
    connection: "duckdb.DuckDBPyConnection", rule: Rule, month: date, settings: Settings, tables: Mapping[str, Table]
) -> dict[str, pd.DataFrame]:
    """Return the frames that a rule is handed: for each table that it reads, the rows of the months that it names."""
    if not reads_whole_tables(rule):
        return {}
    return {
        reads.table: read_partitions(connection, tables[reads.qualified], _months_read(reads, month, settings), reads.columns)
        for reads in rule.reads
        if reads.layer != "raw"
    }


def _months_read(reads: Reads, month: date, settings: Settings) -> list[date]:
    last = months.add(month, reads.last_offset)
    first = settings.months[0] if reads.first_offset is None else months.add(month, reads.first_offset)
    return [each for each in months.between(first, last) if each in settings.months]


def replace_month(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, table: Table, month: date, computed: Computed
) -> Written:
    """Write a month and its record in one transaction; nothing of a failed write stays.

    Raises:
        SchemaViolation: rows do not fit the table's declaration.
    """
    value = computed.value
    if computed.stage is not None and computed.sliced is not None and isinstance(value, Query):
        with only_known(computed.sql):
            inputs = computed.stage(connection, settings, computed.sliced.days)
        value = engine_of(settings).run(connection, value.sql, inputs)
    with database.transaction(connection):
        written = write_partition(connection, table, month, value, computed.sliced)
        catalog.record(
            connection,
            table,
            month,
            made_from=computed.fingerprint,
            content_hash=written.content_hash,
            rows=written.rows,
            code_version=computed.code_version,
            settings=computed.settings,
            inputs=computed.inputs,
            slices=written.slices,
        )
        if table.published_slices and computed.sliced is not None:
            catalog.record_parts(connection, table, computed.sliced.days, written.parts)
    return written


def compute(rule: Rule, month: date, settings: Settings, tables: Mapping[str, Table]) -> bool:
    """Bring a rule's month up to date; return whether anything was written.

    Raises:
        SchemaViolation: rows do not fit the table's declaration; what stood there stays.
    """
    with database.connect(settings) as connection:
        found = made(rule, month, settings, frames_of(connection, rule, month, settings, tables))
        if isinstance(found, Unchanged):
            return False
        replace_month(connection, settings, rule.table, month, found)
        catalog.refresh(connection, settings, month)
    return True


class WarehouseReader:
    """What a check sees of the warehouse: query results, exact."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self._connection = connection

    def rows(self, query: Query) -> pd.DataFrame:
        """Run a query and return its rows."""
        return rows_of_query(self._connection, query)


def judgements(checks: Sequence[Check], month: date, settings: Settings) -> Iterator[tuple[Check, Judgement]]:
    """Evaluate checks on a written month, one by one."""
    if checks:
        with database.connect(settings) as connection:
            reader = WarehouseReader(connection)
            for check in checks:
                with only_known(reached_by_check(check).sql):
                    judgement = check.judge(reader, month, settings.of_stream(check.table.stream))
                yield check, judgement
