"""Putting kept files on record: their numbers, what they hold by day, the sums that months ask for.

Belongs here: what is noted of whole files. Does not belong here: versions of events (``versions``), what stands (``settling``).
"""

from collections.abc import Sequence

from revenue_integrity.landing.eventstore.incoming import Kept
from revenue_integrity.landing.eventstore.keeping import bad_rows_of
from revenue_integrity.landing.eventstore.projection import supplied
from revenue_integrity.landing.eventstore.tables import sum_type
from revenue_integrity.landing.eventstore.work import LogWork, columns
from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.events import Breakdown
from revenue_integrity.model.source import LINEAGE
from revenue_integrity.warehouse.scanning import scan_sql


def store_bad(work: LogWork) -> None:
    """Put the bad rows of new files into quarantine."""
    for source in work.sources.values():
        staged = bad_rows_of(source)
        if not work.rows(f"select 1 from duckdb_tables() where temporary and table_name = {quote(staged)}"):
            continue
        values = columns([*source.values, *LINEAGE])
        work.execute(f"""
            insert into meta.held_{source.dataset} ({values}, is_duplicate, static_errors, reference_errors, raw)
            select {values}, false, static_errors, null, raw from {staged}
        """)


def number(work: LogWork, kept: list[Kept]) -> None:
    """Give new files their numbers and put them on record; they come into the order of their batches and names."""
    kept.sort(key=lambda file: (file.batch_id, file.facts.name))
    ((last,),) = work.rows(f"select coalesce(max(file_no), 0) from {work.table('files')}")
    for file_no, file in enumerate(kept, start=last + 1):
        file.number = file_no
    rows = [
        {
            "source": file.source.name,
            "file_no": file.number,
            "batch_id": file.batch_id,
            "arrival": file.arrival,
            "file_name": file.facts.name,
            "path": str(file.path.relative_to(work.settings.home)),
            "projection": file.projection,
            "row_count": file.rows,
        }
        for file in kept
    ]
    values = {key: [row[key] for row in rows] for key in rows[0]}
    work.execute(f"insert into {work.table('files')} select {', '.join(f'unnest(${key})' for key in values)}", **values)


def scan(work: LogWork, files: Sequence[Kept]) -> str:
    """Return SQL for the rows of some new files."""
    return scan_sql(tuple(file.scanned() for file in files), work.log.types)


def note_days(work: LogWork, kept: Sequence[Kept]) -> None:
    """Note what new files hold by day; ``landing_days`` gains these days."""
    refused = work.table("refused")
    bad = f"anti join {refused} using (file_no, row_number)" if work.rows(f"select 1 from {refused} limit 1") else ""
    for source in sorted({file.source.name for file in kept}):
        mine = [file for file in kept if file.source.name == source]
        # What a source does not have is null in every row, and costs as much to group and to sum as what it has.
        has = supplied(mine[0].source)
        scope = name(work.log.scope) if work.log.scope in has else "cast(null as varchar)"
        sums = ", ".join(f"{_sum(work, column) if column in has else 'null'} as {name(column)}" for column in work.log.measures)
        by = f"file_no, {columns(work.of_day)}" + (f", {scope}" if work.log.scope in has else "")
        work.execute(f"""
            insert into {work.table("days")} by name
            select
                {quote(source)} as source, d.file_no, f.batch_id, f.arrival, {columns(work.of_day, "d")}, d.scope, d.row_count,
                {columns(work.log.measures, "d")}, true as is_live, false as set_aside
            from (
                select file_no, {columns(work.of_day)}, {scope} as scope, count(*) as row_count, {sums}
                from ({scan(work, mine)}) {bad}
                where {work.day} is not null
                group by {by}
            ) as d
            inner join {work.table("files")} as f on d.file_no = f.file_no
        """)
    work.execute(
        f"insert into landing_days select distinct {work.day} from {work.table('days')} where file_no >= {kept[0].number}"
    )


def _sum(work: LogWork, measure: str) -> str:
    return f"cast(sum({name(measure)}) as {sum_type(work.log, measure)})"


def note_breakdowns(work: LogWork, kept: Sequence[Kept]) -> None:
    """Note the sums of new files that months ask for."""
    for each in work.log.breakdowns:
        taking_part = [file for file in kept if set(each.by) <= supplied(file.source)]
        if taking_part:
            _note_breakdown(work, each, taking_part)


def _note_breakdown(work: LogWork, breakdown: Breakdown, files: Sequence[Kept]) -> None:
    scope = f"e.{name(work.log.scope)}" if work.log.scope else "cast(null as varchar)"
    sums = ", ".join(f"{_sum(work, column)} as {name(column)}" for column in work.log.measures)
    by = "".join(f"e.{name(column)}, " for column in breakdown.by if column not in work.of_day)
    work.execute(f"""
        insert into {work.table(f"{breakdown.name}_parts")} by name
        select f.source, e.*
        from (
            select
                e.file_no, {columns(work.of_day, "e")}, {scope} as scope, {by} {sums}, count(*) as row_count
            from ({scan(work, files)}) as e
            anti join {work.table("refused")} as b on e.file_no = b.file_no and e.row_number = b.row_number
            group by all
        ) as e
        inner join {work.table("files")} as f on e.file_no = f.file_no
    """)
