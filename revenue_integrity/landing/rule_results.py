"""How many rows break the rules of a deployment, kept beside what was landed.

Belongs here: counting, whenever batches were read. Does not belong here: what a rule is (``model.data_rules``), the checks of a
month (``close.deployment_checks``).
"""

from collections.abc import Sequence

import duckdb

from revenue_integrity.model.data_rules import bad_of, column_of, marker, rules_of, words_of
from revenue_integrity.model.source import Source
from revenue_integrity.settings import DataRule, Settings

_TABLE = """
    create table if not exists meta.data_rules (
        stream VARCHAR not null, source VARCHAR not null, name VARCHAR not null, "column" VARCHAR not null,
        rule VARCHAR not null, action VARCHAR not null, because VARCHAR not null, rows_that_break_it BIGINT
    )
"""


def is_there(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether anything was ever counted: a home that was not read since it was carried over has no table."""
    asked = "select 1 from duckdb_tables() where schema_name = 'meta' and table_name = 'data_rules'"
    return bool(connection.execute(asked).fetchall())


def refresh(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings) -> None:
    """Count anew for the sources of a stream."""
    connection.execute(_TABLE)
    rows = [
        (
            source.stream,
            source.name,
            rule.name,
            column_of(source, rule).name,
            words_of(rule),
            rule.action,
            rule.because,
            _count(connection, source, rule),
        )
        for source in sources
        for rule in rules_of(source, settings)
    ]
    streams = sorted({source.stream for source in sources})
    connection.begin()
    connection.execute("delete from meta.data_rules where list_contains(?, stream)", [streams])
    if rows:
        connection.executemany("insert into meta.data_rules values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()


def _count(connection: duckdb.DuckDBPyConnection, source: Source, rule: DataRule) -> int | None:
    if rule.action == "refuse":
        asked = "select count(*) from meta.quarantine where stream = ? and source = ? and contains(dq_errors, ?)"
        ((found,),) = connection.execute(asked, [source.stream, source.name, marker(rule)]).fetchall()
    elif source.is_kept_in_files:
        return None
    else:
        standing = f"select count(*) from raw.{source.dataset} where row_status = 'surviving' and ({bad_of(source, rule)})"
        ((found,),) = connection.execute(standing).fetchall()
    return int(found)
