"""How the rows of a source, or of a file of it, become rows of its event log: SQL for each column.

Belongs here: what the declaration says, filled in with the deployment's settings. Does not belong here: reading files.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from revenue_integrity.landing.eventstore.work import events_of
from revenue_integrity.landing.reading.layout import layout_of
from revenue_integrity.landing.values import name, parsed, quote
from revenue_integrity.model.events import BySetting
from revenue_integrity.model.source import Source, SourceColumn
from revenue_integrity.settings import Settings


def log_columns(source: Source, settings: Settings) -> dict[str, str]:
    """Return SQL over the stored columns of a source for each column of its log, with the log's types."""
    return _typed(source, _made(source, settings))


def supplied(source: Source) -> set[str]:
    """Return the columns of its log that a source has; the others are empty in each of its rows."""
    return {column for column in events_of(source).log.types if column in events_of(source).columns or column in source.stored}


def settings_used(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the settings that rows of some sources rest on in their logs: another value makes other rows."""
    given = [each for source in sources if source.events for each in source.events.columns.values()]
    return tuple(sorted({each.setting for each in given if isinstance(each, BySetting)}))


def _made(source: Source, settings: Settings) -> dict[str, str]:
    events = events_of(source)
    made = {}
    for column in events.log.types:
        given = events.columns.get(column, name(column) if column in source.stored else "null")
        made[column] = (
            _by_setting(given, settings) if isinstance(given, BySetting) else given.replace(_CURRENCY, settings.currency)
        )
    return made


_CURRENCY = "{currency}"


def _by_setting(given: BySetting, settings: Settings) -> str:
    table: Mapping[str, str] = getattr(settings, given.setting)
    cases = " ".join(f"when {_identifier(key)} then {_identifier(value)}" for key, value in sorted(table.items()))
    return f"case {name(given.column)} {cases} else {quote(given.default)} end" if cases else quote(given.default)


def _identifier(text: str) -> str:
    """Return SQL for a name in the settings as rows hold it: one tenant must not become two by how it is written."""
    return parsed(SourceColumn("name", "id", "A name."), quote(text))


def _typed(source: Source, made: Mapping[str, str]) -> dict[str, str]:
    types = events_of(source).log.types
    return {column: f"cast({sql} as {types[column]})" for column, sql in made.items()}


def canonical(source: Source, header: Sequence[str], types: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return, for a Parquet file that needs no conversion, SQL for each stored column; nothing if it needs one.

    Its columns have the contract's names and types, and no column that the contract wants is missing.

    Args:
        source: the source.
        header: the file's columns.
        types: the engine's type of each of them, by name, in order.
        path: the file, whose statistics say which columns hold no null.
    """
    layout = layout_of(source, header)
    if layout.problem:
        return {}
    values: dict[str, str] = {}
    full = _columns_without_null(path)
    for column, place in zip(source.columns, layout.positions, strict=True):
        if place is None:
            values[column.stored] = f"cast(null as {column.sql_type})" if column.default is None else quote(column.default)
            continue
        as_named = list(types)[place]
        if not _is_canonical(column, types[as_named]):
            return {}
        value = name(as_named)
        # A function over a column costs the engine its dictionary, so none stands where it would do nothing.
        defaulted = column.default is not None and as_named not in full
        values[column.stored] = f"coalesce({value}, {quote(column.default or '')})" if defaulted else value
    return values


def projection_of(source: Source, settings: Settings, values: Mapping[str, str] | None = None) -> str:
    """Return SQL for the columns of a log over a file, given SQL for each stored column of the source.

    Without these, the file has the columns of the log.
    """
    log = events_of(source).log
    if values is None:
        return ", ".join(map(name, log.types))
    made = {column: _over(sql, values) for column, sql in _made(source, settings).items()}
    return ", ".join(f"{sql} as {name(column)}" for column, sql in _typed(source, made).items())


def _over(sql: str, values: Mapping[str, str]) -> str:
    """Return SQL over stored columns as SQL over a file: each stored column in it replaced by what the file calls it."""
    return re.sub(
        r"""'(?:[^']|'')*'|"([a-z_][a-z_0-9]*)"|[a-z_][a-z_0-9]*""",
        lambda found: values.get(found[1] or found[0], found[0]),
        sql,
    )


def _is_canonical(column: SourceColumn, engine_type: str) -> bool:
    """Return whether a Parquet column has the type of the contract, so that its values need no parsing."""
    if column.kind == "dec" and engine_type.startswith("DECIMAL("):
        digits, places = (int(part) for part in engine_type[len("DECIMAL(") : -1].split(","))
        return places <= column.places and digits - places <= column.digits - column.places
    wanted = {"date": "DATE", "ts": "TIMESTAMP WITH TIME ZONE", "bool": "BOOLEAN"}
    return engine_type == wanted.get(column.kind, "VARCHAR") and column.kind not in ("money", "month", "int", "dec")


def _columns_without_null(path: Path) -> set[str]:
    """Return the columns of a Parquet file that hold no null, as its statistics say."""
    metadata = pq.read_metadata(path)
    full: dict[str, bool] = {}
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            counted = column.statistics is not None and column.statistics.has_null_count
            full[column.path_in_schema] = full.get(column.path_in_schema, True) and counted and not column.statistics.null_count
    return {column for column, is_full in full.items() if is_full}
