"""Which column is made of which: read from the SQL itself, where it can be known.

Belongs here: column lineage of tables made by a query, and its copy in the home. Does not belong here: asset lineage.
Reading a query takes up to seconds, and each run that the daemon starts is a new process, so the result is kept per code
version.
"""

import json
from collections.abc import Mapping

from revenue_integrity.computing.versions import version_of_rule
from revenue_integrity.files import write_if_changed
from revenue_integrity.model.rule import Rule
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings

_SOURCES: dict[str, dict[str, list[list[str]]]] = {}
"""Lineage that this process has read, by the name of its file, which names the rule's version."""


def column_lineage(rule: Rule, tables: Mapping[str, Table], settings: Settings) -> dict[str, list[list[str]]]:
    """Return for each column of a rule's table the (table, column) pairs that it rests on; nothing for other than queries."""
    if not rule.is_query:
        return {}
    file = settings.catalog_path / "lineage" / f"{rule.table.layer}.{rule.table.name}-{version_of_rule(rule)[:16]}.json"
    written = file.exists()
    if file.name not in _SOURCES:
        _SOURCES[file.name] = json.loads(file.read_text(encoding="utf-8")) if written else _read(rule, tables, settings)
    if not written:
        write_if_changed(file, json.dumps(_SOURCES[file.name], sort_keys=True) + "\n")
    return _SOURCES[file.name]


def _read(rule: Rule, tables: Mapping[str, Table], settings: Settings) -> dict[str, list[list[str]]]:
    """Return for each column the (table, column) pairs that its expression rests on."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    query = rule.function(settings.first_month, settings)
    # Only what the query can name: the parser goes through all columns that it is told of.
    named = [table for table in tables.values() if table.qualified in query.sql]
    schema = {
        layer: {table.name: {name: table.sql_type(name) for name in table.columns} for table in named if table.layer == layer}
        for layer in sorted({table.layer for table in named})
    }
    found: dict[str, list[list[str]]] = {}
    try:
        # All columns at once: qualifying the query, most of the work, is then done once instead of for each column. The parsed
        # query is nobody else's and is never written as SQL again: it needs neither a copy nor quotes.
        nodes = lineage(
            None,
            parse_one(query.sql, dialect="duckdb"),
            schema=schema,
            dialect="duckdb",
            trim_selects=False,
            copy=False,
            quote_identifiers=False,
        )
        for column in rule.table.columns:
            leaves = [node for node in nodes[column].walk() if not node.downstream] if column in nodes else []
            pairs = {
                (f"{leaf.expression.db}.{leaf.expression.name}", leaf.name.split(".")[-1].strip('"'))
                for leaf in leaves
                if isinstance(leaf.expression, exp.Table)
            }
            known = sorted([table, name] for table, name in pairs if table in tables and name in tables[table].columns)
            if known:
                found[column] = known
    except SqlglotError:
        # Lineage is shown where it is known; SQL that this parser does not read has none, and computes all the same.
        return {}
    return found
