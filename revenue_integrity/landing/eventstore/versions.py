"""Versions of events: the few events that have more than one row, or a tombstone, are found and compared.

Belongs here: which rows are versions, and what each is among those of its event. Does not belong here: finding rows that share a
key (``key_index``), which version counts (``outcomes``), which is set aside (``settling``).
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from revenue_integrity.landing.eventstore import key_index
from revenue_integrity.landing.eventstore.incoming import Kept
from revenue_integrity.landing.eventstore.recording import scan
from revenue_integrity.landing.eventstore.work import LogWork, columns, events_of, same
from revenue_integrity.landing.values import name, path_literal
from revenue_integrity.model.events import MARKS, PREFERENCE
from revenue_integrity.model.stage import ScannedFile
from revenue_integrity.warehouse.scanning import scan_sql

_LONG = 1_000_000
"""Rows from which a Parquet file is read on its own for some of them."""

COMPARED = 2_000_000
"""New versions of events that are compared at once: to put them in order takes several times the room that they take."""


def note_versions(work: LogWork, kept: Sequence[Kept]) -> None:
    """Note all versions of the events that have more than one row by now, and of those that have a tombstone."""
    news = [file for file in kept if events_of(file.source).appends and file.rows]
    if news and _find(work, news):
        _compare(work)
        _insert(work)
        _mark_again(work)


def _find(work: LogWork, news: Sequence[Kept]) -> bool:
    """Read the rows that are to be noted, but bad rows and what is on record; return whether there are any."""
    fresh = {file.number: key_index.Index(key_index.beside(file.path), file.rows) for file in news}
    before = _events_of_before(work, set(fresh))
    others = [file for file, _ in before]
    held = {file.file_no: key_index.Index(key_index.beside(file.path), count) for file, count in before}
    rows = key_index.contested(fresh, held)
    wanted = pa.table(
        {
            "file_no": np.repeat(np.array(list(rows), np.int64), [len(each) for each in rows.values()]),
            "row_number": np.concatenate([np.empty(0, np.int64), *rows.values()]) + 1,
        }
    )
    work.connection.register("landing_found", wanted)
    ended = f"union all select file_no, row_number from ({scan(work, news)}) where {name(work.log.ends)}" if work.log.ends else ""
    work.execute(f"create or replace temp table landing_wanted as select file_no, row_number from landing_found {ended}")
    work.connection.unregister("landing_found")
    concerned = {number for (number,) in work.rows("select distinct file_no from landing_wanted")}
    files = [file for file in (*(each.scanned() for each in news), *others) if file.file_no in concerned]
    if not files:
        return False
    preference = f", cast({work.log.versions.prefer} as BIGINT) as {PREFERENCE}" if work.log.versions.prefer else ""
    # On its own, for the optimizer would join every row with its file before it looks which rows are wanted.
    work.execute(f"""
        create or replace temp table landing_found_versions as
        select file_no, row_number, {columns(work.log.version_columns)} {preference} from ({_wanted_rows(work, files)})
    """)
    work.execute(f"""
        delete from landing_found_versions as e using (
            select file_no, row_number from {work.table("refused")}
            union all
            select file_no, row_number from {work.table("versions")} where file_no in (select file_no from landing_wanted)
        ) as c
        where e.file_no = c.file_no and e.row_number = c.row_number
    """)
    return bool(work.rows("select 1 from landing_found_versions limit 1"))


def _wanted_rows(work: LogWork, files: Sequence[ScannedFile]) -> str:
    """Return SQL for the wanted rows of some files.

    A long file is read on its own: the numbers of its rows then fit the processor's cache, which halves the work.
    """
    long = [file for file in files if pq.read_metadata(file.path).num_rows >= _LONG]
    short = tuple(file for file in files if file not in long)
    parts = [
        f"""
        select ({file.file_no})::bigint as file_no, file_row_number + 1 as row_number, {file.projection}
        from read_parquet({path_literal(file.path)}, file_row_number = true, hive_partitioning = false)
        semi join (
            select row_number - 1 as file_row_number from landing_wanted where file_no = {file.file_no}
        ) as wanted using (file_row_number)
        """
        for file in long
    ]
    if short:
        parts.append(f"select * from ({scan_sql(short, work.log.types)}) semi join landing_wanted using (file_no, row_number)")
    return " union all ".join(parts)


def _events_of_before(work: LogWork, news: set[int]) -> list[tuple[ScannedFile, int]]:
    """Return the files of events that are on record and not among the new ones, each with its rows."""
    found = work.rows(f"""
        select file_no, path, projection, row_count from {work.table("files")}
        where source in ({work.delivering("append_events")}) order by file_no
    """)
    return [
        (ScannedFile(number, work.settings.home / path, sql), rows) for number, path, sql, rows in found if number not in news
    ]


def _compare(work: LogWork) -> None:
    """Find duplicates, corrections and conflicts among the versions of the events that came up, and the days they touch.

    Many are compared part by part: their order takes far more room than they do themselves.
    """
    log = work.log
    preference = [PREFERENCE] if log.versions.prefer else []
    shown = columns(["file_no", "row_number", "batch_id", "arrival", "file_name", *log.version_columns, *preference])
    content = f"row({columns(log.content)})"
    # Where nothing in the rows orders them, only those of one batch claim the same moment.
    moment = columns(log.versions.order or ("batch_id",))
    key, alike = columns(log.key), columns((*log.key, *log.versions.within))
    order = columns(log.versions.ordering)
    ended = f"{name(log.ends)} or " if log.ends else ""
    ((rows,),) = work.rows("select count(*) from landing_found_versions")
    parts = -(-rows // COMPARED)
    for part in range(parts):
        into = "insert into landing_versions" if part else "create or replace temp table landing_versions as"
        of_part = f"where hash({columns(log.hashed)}) % {parts} = {part}" if parts > 1 else ""
        work.execute(f"""
            {into}
            with versions as (
                select {shown}, true as is_new
                from landing_found_versions inner join {work.table("files")} using (file_no) {of_part}
                union all
                -- Rows that share their key with a new one were found with it, whether they are on record or not.
                select {shown}, false as is_new
                from (
                    select * replace (case when not without_day then {work.day} end as {work.day}) from {work.table("versions")}
                )
                semi join landing_wanted using (file_no, row_number) {of_part}
            )

            select
                file_no, row_number, {work.day}, is_new,
                lag({content}) over each_event is not distinct from {content} as is_duplicate,
                lag(file_no) over each_event is not null and not is_duplicate as is_correction,
                coalesce(lag(row({moment})) over each_event = row({moment}), false) and not is_duplicate as is_conflict,
                -- What withdraws an event that did not come yet has no day.
                coalesce(min({work.day}) over of_event < max({work.day}) over of_event, false) as is_moved,
                -- What stands alone was met for a bad row's sake, or for another's of the same hash.
                {ended} count(*) over of_event > 1 as is_noted
            from versions
            window
                each_event as (partition by {alike} order by {order}),
                of_event as (
                    partition by {key} order by {order} rows between unbounded preceding and unbounded following
                )
        """)
    work.execute(
        f"insert into landing_days select distinct {work.day} from landing_versions where is_noted and {work.day} is not null"
    )


def _insert(work: LogWork) -> None:
    """Note the new versions, with their marks at once: storing them and then changing them costs twice."""
    preference = [PREFERENCE] if work.log.versions.prefer else []
    work.execute(f"""
        insert into {work.table("versions")} by name
        select
            e.file_no, e.row_number, f.batch_id, f.arrival, f.file_name, {columns([*work.log.version_columns, *preference], "e")},
            {columns(MARKS, "v")}, e.{work.day} is null as without_day, false as set_aside
        from landing_found_versions as e
        inner join {work.table("files")} as f on e.file_no = f.file_no
        inner join landing_versions as v on {same("e", "v", ("file_no", "row_number"))}
        where v.is_noted
    """)


def _mark_again(work: LogWork) -> None:
    """Mark versions that were on record and that another one now stands before or beside."""
    work.execute(f"""
        update {work.table("versions")} as c set {", ".join(f"{mark} = v.{mark}" for mark in MARKS)}
        from landing_versions as v
        where not v.is_new and {same("c", "v", ("file_no", "row_number"))} and ({columns(MARKS, "c")}) <> ({columns(MARKS, "v")})
    """)
