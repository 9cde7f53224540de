"""What stands: which deliveries of a scope do, and what lies too far back to change by itself.

Belongs here: deciding it anew after each ingestion, and letting count what somebody asks for. Does not belong here: which version
of an event counts (``outcomes``).
"""

from datetime import date

from revenue_integrity.landing.eventstore.work import LogWork, columns, same
from revenue_integrity.landing.values import name


def settle(work: LogWork) -> None:
    """Decide anew which deliveries stand and what is set aside; ``landing_days`` gains the days for which that changed."""
    days, day = work.table("days"), work.day
    work.execute(f"""
        create or replace temp table landing_settled as
        with opened as (
            select date_trunc('month', {day})::DATE as month, min(arrival) as first_arrival from {days} group by all
        ),

        deliveries as (
            select distinct d.source, d.batch_id, d.arrival, d.scope, x.{day}
            from {days} as d
            inner join (select distinct scope, {day} from {days}) as x on d.scope is not distinct from x.scope
        ),

        beyond as (
            select
                v.*,
                {work.beyond(f"v.{day}", "v.arrival")} and o.first_arrival < v.arrival and a.month is null as set_aside
            from deliveries as v
            inner join opened as o on {work.month_of("v")} = o.month
            left join {work.table("admitted")} as a on a.month = o.month and a.batch_id = v.batch_id
        ),

        latest as (
            select scope, {day}, max(arrival) as arrival
            from beyond
            where not set_aside and scope is not null and source in ({work.delivering("overwrite_scope")})
            group by all
        )

        select
            d.file_no, {columns(work.of_day, "d")}, d.scope, b.set_aside,
            not b.set_aside and (l.arrival is null or d.arrival >= l.arrival) as is_live
        from {days} as d
        inner join beyond as b on d.batch_id = b.batch_id and d.{day} = b.{day} and d.scope is not distinct from b.scope
        left join latest as l on d.scope = l.scope and d.{day} = l.{day}
    """)
    changed = f"""c.file_no = s.file_no and {same("c", "s", work.of_day)} and c.scope is not distinct from s.scope
        and (c.is_live <> s.is_live or c.set_aside <> s.set_aside)"""
    work.execute(f"insert into landing_days select c.{day} from {days} as c join landing_settled as s on {changed}")
    work.execute(f"update {days} as c set is_live = s.is_live, set_aside = s.set_aside from landing_settled as s where {changed}")
    _settle_versions(work)


def _settle_versions(work: LogWork) -> None:
    """Set versions aside whose day is, or that would change a day beyond the window: never is a change half applied."""
    versions, key = work.table("versions"), work.log.key
    latest = f"(select max(arrival) from {versions})"
    if not key or not work.rows(f"select 1 from {versions} where set_aside or {work.beyond(work.day, latest)} limit 1"):
        return
    position = work.log.position
    work.execute(f"""
        create or replace temp table landing_settled as
        with changing as (
            -- They follow a version that came before them, on a day that is beyond for them.
            select distinct c.file_no, c.row_number
            from {versions} as c
            inner join {versions} as e on {same("c", "e", key)}
            left join {work.table("admitted")} as a on a.month = {work.month_of("e")} and a.batch_id = c.batch_id
            where
                e.arrival < c.arrival and {work.beyond(f"e.{work.day}", "c.arrival")} and a.month is null
                and ({columns(position, "e")}) < ({columns(position, "c")})
        )

        select c.file_no, c.row_number, {columns(key, "c")}, d.set_aside or g.file_no is not null as set_aside
        from {versions} as c
        inner join {work.table("days")} as d on c.file_no = d.file_no and {same("c", "d", work.of_day)}
        left join changing as g on c.file_no = g.file_no and c.row_number = g.row_number
    """)
    changed = "c.file_no = s.file_no and c.row_number = s.row_number and c.set_aside <> s.set_aside"
    work.execute(f"""
        insert into landing_days
        select c.{work.day} from {versions} as c
        semi join (
            select {columns(key, "c")} from {versions} as c join landing_settled as s on {changed}
        ) using ({columns(key)})
    """)
    work.execute(f"update {versions} as c set set_aside = s.set_aside from landing_settled as s where {changed}")


def admit(work: LogWork, month: date) -> bool:
    """Let what was set aside for a month count, in the caller's transaction; return whether there was anything.

    ``landing_days`` gains the days that change.
    """
    days, versions = work.table("days"), work.table("versions")
    of_month = f"date_trunc('month', {{}}.{name(work.log.day)}) = $month"
    changing = f"""
        union
        select c.batch_id
        from {versions} as c
        inner join {versions} as e on {same("c", "e", work.log.key)}
        where c.set_aside and {of_month.format("e")}
    """
    aside = f"""
        select d.batch_id from {days} as d where d.set_aside and {of_month.format("d")}
        {changing if work.log.key else ""}
        union
        select later.batch_id
        from (
            select distinct batch_id, arrival, scope from {days} where source in ({work.delivering("overwrite_scope")})
        ) as later
        inner join {days} as earlier on later.scope = earlier.scope and earlier.arrival < later.arrival
        where earlier.is_live and {of_month.format("earlier")}
    """
    admitted = work.table("admitted")
    new = f"({aside}) anti join (select batch_id from {admitted} where month = $month) using (batch_id)"
    ((found,),) = work.rows(f"select count(*) from {new}", month=month)
    if found:
        work.execute(f"insert into {admitted} select $month, batch_id from {new}", month=month)
        settle(work)
    return bool(found)
