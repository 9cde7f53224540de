"""What becomes of rows that do not count: the first stage over an event log, for every stream the same.

Belongs here: the table of outcomes of a log, and its portable SQL. Does not belong here: finding and keeping versions
(``versions``), sums (each stream).

Stored is what does not count: superseded, duplicate, deleted. A copy of what counts would be the delivery once more.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from revenue_integrity.landing.eventstore.reading import version_inputs
from revenue_integrity.landing.eventstore.work import columns, same
from revenue_integrity.landing.values import name
from revenue_integrity.model import table as column
from revenue_integrity.model.events import EventLog
from revenue_integrity.model.query import Query
from revenue_integrity.model.rule import Rule, days_of
from revenue_integrity.model.source import Source, SourceColumn
from revenue_integrity.model.table import Table, table
from revenue_integrity.settings import Settings

OUTCOMES = ("superseded", "duplicate", "deleted")
"""What becomes of a row that does not count: a later version replaced it, it repeats another, its event was withdrawn."""


def outcomes_table(log: EventLog, called: str, description: str, more: Sequence[str] = ()) -> Table:
    """Declare the table of the rows of a log that do not count, in slices of its days.

    Args:
        log: the log.
        called: the name of the table.
        description: what it holds, for the dictionary.
        more: columns of a version to show, beside its day and key.
    """
    declared = {each.stored: each for each in log.columns}
    shown = [replace(declared[each], required=_is_filled(log, declared[each])) for each in _shown(log, more)]
    return table(
        log.stream,
        "curated",
        called,
        description,
        ("month", "batch_id", "file_name", "row_number"),
        [
            column.month(),
            declared[log.day].table_column(),
            column.text("batch_id", "The batch that brought it."),
            column.text("file_name", "File of the batch."),
            column.integer("row_number", "Data row in the file; 1 is the first.", unit="rows", ge=1),
            column.integer("file_no", "Number of the file in the store.", ge=0),
            *(each.table_column() for each in shown),
            column.text("outcome", "What became of it.", isin=OUTCOMES),
            column.text("by_batch_id", "The batch of the version that counts now, or of the tombstone."),
            column.day(f"by_{log.day}", "Day of the version that counts now, or of the tombstone."),
            column.integer("versions", "Versions that the event has, exact duplicates left out.", unit="versions", ge=1),
        ],
        # Numbers of files follow the order in which they were read; batch and file name say the same for ever.
        content_excludes=("file_no",),
        slice_column=log.day,
        published_slices="tenant_id" in log.apart,
    )


def _is_filled(log: EventLog, column: SourceColumn) -> bool:
    # What ends an event may say nothing but which one.
    return column.stored in log.key or (column.required and not (log.ends and column.stored in log.measures))


def _shown(log: EventLog, more: Sequence[str]) -> list[str]:
    return [each for each in dict.fromkeys((*log.apart, *log.key, *log.versions.within, *more)) if each != log.day]


def outcomes_rule(log: EventLog, outcomes: Table, sources: Sequence[Source]) -> Rule:
    """Return how the table of outcomes of a log is made, from the versions of its days.

    Args:
        log: the log.
        outcomes: its table of outcomes.
        sources: the sources that fill the log with events.
    """
    reads = days_of("raw", log.versions_slice, *(source.dataset for source in sources))
    return Rule(outcomes, partial(_outcomes, log, outcomes), (reads,), stage=version_inputs(log))


def _outcomes(log: EventLog, outcomes: Table, month: date, settings: Settings) -> Query:
    return Query(outcomes_sql(log, outcomes))


def outcomes_sql(log: EventLog, outcomes: Table) -> str:
    """Return portable SQL for the rows of a log that do not count, over ``versions`` and ``days`` (``reading.version_inputs``).

    The latest version counts, under a total order: ties would give another total on each run.
    """
    key, day = columns(log.key), name(log.day)
    alike, ordering = columns((*log.key, *log.versions.within)), columns(log.versions.ordering)
    own = {*outcomes.columns} - {"month", "outcome", "by_batch_id", f"by_{log.day}", "versions"}
    shown = columns([each for each in outcomes.columns if each in own], "v")
    winner = columns(dict.fromkeys([*log.key, "place", "batch_id", log.day, *([log.ends] if log.ends else [])]), "v")
    is_ended = f"w.{name(log.ends)}" if log.ends else ""
    deleted = f"when {is_ended} then 'deleted' " if log.ends else ""
    return f"""
with placed as (
    select
        *,
        row_number() over (partition by {key} order by {columns(log.position)}) as place,
        coalesce(lag(content) over (partition by {alike} order by {ordering}) = content, false) as is_duplicate
    from versions
),

-- Grouped rather than ranked again: a second window would sort all versions once more.
latest as (
    select {key}, max(place) as place, count(*) as versions
    from placed
    where not is_duplicate
    group by {key}
),

winners as (
    select {winner}, l.versions
    from placed as v
    inner join latest as l on {same("v", "l", log.key)} and v.place = l.place
)

select
    cast(date_trunc('month', v.{day}) as date) as month,
    {shown},
    case when v.is_duplicate then 'duplicate' {deleted}else 'superseded' end as outcome,
    w.batch_id as by_batch_id,
    w.{day} as {name(f"by_{log.day}")},
    w.versions
from placed as v
inner join winners as w on {same("v", "w", log.key)}
inner join days as d on v.{day} = d.{day}
where v.is_duplicate or v.place <> w.place{f" or {is_ended}" if log.ends else ""}
"""
