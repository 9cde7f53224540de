"""What a day of an event log looks like to what is computed from it: a hash of the rows that count, one of the versions.

Belongs here: the slices of logs, and of their breakdowns. Does not belong here: slices of raw tables (``landing.slices``).
"""

from datetime import date

from revenue_integrity.landing.eventstore.work import LogWork, columns, same
from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.query import listed_days


def forget(work: LogWork) -> None:
    """Drop the slices of a log."""
    names = [work.log.breakdown_slice(each) for each in work.log.breakdowns]
    names += [source.dataset for source in work.sources.values()]
    work.execute(
        """
        delete from meta.slices
        where stream = $stream and (
            list_contains($names, source) or starts_with(source, $rows || '/') or starts_with(source, $versions || '/')
        )
        """,
        stream=work.log.stream,
        names=names,
        rows=work.log.rows_slice,
        versions=work.log.versions_slice,
    )


def refresh(work: LogWork) -> dict[str, set[date]]:
    """Compute the slices of the days that may have changed, and those of their months; return the months by source."""
    day, days = work.day, work.table("days")
    work.execute(f"create or replace temp table landing_touched_days as select distinct {day} from landing_days")
    touched = [found for (found,) in work.rows(f"select {day} from landing_touched_days order by all")]
    for slice_name, rows in (
        (work.log.rows_slice, _live_rows(work)),
        (work.log.versions_slice, _version_rows(work, listed_days(touched))),
    ):
        _replace(
            work,
            f"source in (select {quote(slice_name + '/')} || {day} from landing_touched_days)",
            f"""
            select {quote(slice_name + "/")} || {day}, date_trunc('month', {day})::DATE,
                -- No two lines are equal, so their digests say without sorting the lines which there are.
                count(*) || '-' || bit_xor(md5_number(line))
            from ({rows}) group by {day}
        """,
        )
    for source in work.sources.values():
        line = f"concat_ws('|', batch_id, {columns(work.of_day)}, scope, row_count, {columns(work.log.measures)}, is_live)"
        _replace(
            work,
            f"source = {quote(source.dataset)}",
            f"""
            select {quote(source.dataset)}, month, sha256(string_agg(line, chr(10) order by line))
            from (
                select date_trunc('month', {day})::DATE as month, {line} as line from {days} where source = {quote(source.name)}
            )
            group by month
        """,
        )
    for each in work.log.breakdowns:
        called = work.log.breakdown_slice(each)
        line = f"concat_ws('|', {columns(each.by)}, {columns(work.log.measures)}, row_count)"
        _replace(
            work,
            f"source = {quote(called)}",
            f"""
            select {quote(called)}, {name(each.month)}, sha256(string_agg({line}, chr(10) order by {columns(each.by)}))
            from {work.table(each.name)} where {name(each.month)} is not null group by {name(each.month)}
        """,
        )
    found: dict[str, set[date]] = {}
    for source_name, month in work.rows(f"""
        select distinct source, date_trunc('month', {day})::DATE from {days} semi join landing_touched_days using ({day})
    """):
        found.setdefault(source_name, set()).add(month)
    return found


def _replace(work: LogWork, which: str, rows: str) -> None:
    """Replace slices of the stream by what a query says: name, month, hash."""
    work.execute(f"delete from meta.slices where stream = {quote(work.log.stream)} and {which}")
    work.execute(f"insert into meta.slices select {quote(work.log.stream)}, * from ({rows})")


def _live_rows(work: LogWork) -> str:
    shown = f"f.file_name, {columns(work.log.apart, 'd') + ', ' if work.log.apart else ''} d.scope, d.row_count"
    return f"""
        select d.{work.day}, concat_ws('|', d.batch_id, {shown}, {columns(work.log.measures, "d")}) as line
        from {work.table("days")} as d
        inner join {work.table("files")} as f on d.file_no = f.file_no
        semi join landing_touched_days as t on d.{work.day} = t.{work.day}
        where d.is_live
        union all
        select c.{work.day}, concat_ws('|', 'set aside', c.batch_id, c.file_name, c.row_number) as line
        from {work.table("versions")} as c
        inner join {work.table("days")} as d on c.file_no = d.file_no and {same("c", "d", work.of_day)}
        semi join landing_touched_days as t on d.{work.day} = t.{work.day}
        where c.set_aside and d.is_live
    """


def _version_rows(work: LogWork, days: str) -> str:
    """Return the versions that the outcomes of each of some days rest on: all of each event that has one on the day."""
    versions, day, key = work.table("versions"), work.day, work.log.key
    line = "concat_ws('|', c.batch_id, c.file_name, c.row_number, c.set_aside) as line"
    moved = f"""
        union all
        select x.{day}, {line}
        from {versions} as c
        inner join (
            select distinct {columns(key)}, {day} from {versions} where {day} in ({days}) and is_moved
        ) as x on {same("c", "x", key)} and c.{day} <> x.{day}
        where c.is_moved
    """
    return f"""
        select c.{day}, {line} from {versions} as c where c.{day} in ({days})
        {moved if key else ""}
    """
