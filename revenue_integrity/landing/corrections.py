"""Rows that replaced another of the same key, with both: what changed, and by which file.

Belongs here: the view of a stream's corrections over its raw tables and event logs. Does not belong here: which row counts
(``merge``, ``eventstore.outcomes``), the dataset (``datasets``).
"""

from collections.abc import Sequence

import duckdb

from revenue_integrity.landing.eventstore import tables as events
from revenue_integrity.landing.eventstore.work import events_of
from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.events import EventLog
from revenue_integrity.model.source import Source

SHOWN = (
    "source, key, batch_id, file_name, row_number, earlier_batch_id, earlier_file_name, earlier_row_number, is_same_batch, month,"
    " differs"
)


def view_of(stream: str) -> str:
    """Return the name of a stream's view."""
    return f"meta.corrections_{stream}"


def create_views(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Make the views of the streams of some sources; their tables and logs must be there."""
    for stream in sorted({source.stream for source in sources}):
        mine = [source for source in sources if source.stream == stream]
        parts = [_of_table(source) for source in mine if not source.is_kept_in_files]
        for log, filling in events.logs_of(mine).values():
            parts += [_of_log(log, source) for source in filling if events_of(source).appends]
        connection.execute(f"create or replace view {view_of(stream)} as {' union all '.join(parts)}")


def _of_table(source: Source) -> str:
    month = "month" if source.has_month else "cast(null as DATE)"
    rows = f"""
        (
            select * from raw.{source.dataset}
            semi join (
                select {_columns(source.key)} from raw.{source.dataset} where corrects is not null
            ) using ({_columns(source.key)})
        )
    """
    versions = source.versions
    order = _columns(versions.ordering)
    if versions.record and versions.instant:
        # What a record says of itself comes before when it came: an older state that comes later replaced nothing.
        order = f"coalesce({name(versions.instant)}, arrival), {order}"
    group = _columns((*source.key, *versions.within))
    return _compared(source, rows, source.said, f"partition by {group} order by {order}", "corrects is not null", month)


def _of_log(log: EventLog, source: Source) -> str:
    group, order = _columns((*log.key, *log.versions.within)), _columns(log.versions.ordering)
    rows = f"""
        (
            select * from {log.schema}.versions
            semi join (select {_columns(log.key)} from {log.schema}.versions where is_correction) using ({_columns(log.key)})
            where not is_duplicate
        )
    """
    month = f"cast(date_trunc('month', {name(log.day)}) as DATE)"
    return _compared(source, rows, log.content, f"partition by {group} order by {order}", "is_correction", month)


def _compared(source: Source, rows: str, content: Sequence[str], each_record: str, corrects: str, month: str) -> str:
    """Return SQL for the rows that correct another: each beside the one that it follows."""
    differs = ", ".join(
        f'case when lag({name(each)}) over each_record is distinct from {name(each)} then struct_pack("column" := {quote(each)},'
        f" was := cast(lag({name(each)}) over each_record as VARCHAR), now := cast({name(each)} as VARCHAR)) end"
        for each in content
    )
    key = ", ".join(f"{quote(each)}, {name(each)}" for each in source.key)
    return f"""
        select
            {quote(source.name)} as source, cast(json_object({key}) as VARCHAR) as key, batch_id, file_name, row_number,
            earlier_batch_id, earlier_file_name, earlier_row_number, batch_id = earlier_batch_id as is_same_batch,
            {month} as month, cast(to_json(list_filter(differing, lambda each: each is not null)) as VARCHAR) as differs
        from (
            select
                *, lag(batch_id) over each_record as earlier_batch_id, lag(file_name) over each_record as earlier_file_name,
                lag(row_number) over each_record as earlier_row_number, [{differs}] as differing
            from {rows}
            window each_record as ({each_record})
        )
        where {corrects}
    """


def _columns(names: Sequence[str]) -> str:
    return ", ".join(map(name, names))
