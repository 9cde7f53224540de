"""What stands: which deliveries of a scope do, and what lies too far back to change by itself.

Belongs here: deciding it anew after each ingestion, and letting count what somebody asks for. Does not belong here: which version
of an event counts (``outcomes``).
"""

from datetime import date

from revenue_integrity.landing.eventstore.work import LogWork, columns, same
from revenue_integrity.landing.values import name


def settle(work: LogWork) -> None:
    """Decide anew which deliveries stand and what is set aside; ``landing_days`` gains the days for which that changed.

    What came without a day has it from other versions, so which of them are set aside comes before its day, and whether that is
    beyond the window last.
    """
    _settle_days(work)
    _settle_versions(work)
    if _give_days(work):
        _settle_days(work)
    _settle_given(work)


def _settle_given(work: LogWork) -> None:
    """Set aside what came without a day and was given one that is."""
    if not work.log.ends:
        return
    versions = work.table("versions")
    work.execute(f"""
        update {versions} as c set set_aside = true
        from {work.table("days")} as d
        where c.without_day and not c.set_aside and d.set_aside and c.file_no = d.file_no and {same("c", "d", work.of_day)}
    """)


def _settle_days(work: LogWork) -> None:
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


def _settle_versions(work: LogWork) -> None:
    """Set versions aside whose day is, or that would change a day beyond the window: never is a change half applied.

    A version that is set aside stands in nobody's way: what comes after it changes what stood before.
    """
    versions, key = work.table("versions"), work.log.key
    if not key:
        return
    latest = f"(select max(arrival) from {versions})"
    if work.rows(f"select 1 from {versions} where set_aside or {work.beyond(work.day, latest)} limit 1"):
        _find_set_aside(work)
        changed = "c.file_no = s.file_no and c.row_number = s.row_number and c.set_aside <> s.set_aside"
        work.execute(f"""
            insert into landing_days
            select c.{work.day} from {versions} as c
            semi join (
                select {columns(key, "c")} from {versions} as c join landing_chain as s on {changed}
            ) using ({columns(key)})
            where c.{work.day} is not null
        """)
        work.execute(f"update {versions} as c set set_aside = s.set_aside from landing_chain as s where {changed}")


def _find_set_aside(work: LogWork) -> None:
    """Make ``landing_chain``: for each version of the events that somebody reaches beyond the window for, whether it is aside.

    Batch after batch, for whether a version changes a day beyond follows from what stands when it comes.
    """
    versions, key, day = work.table("versions"), columns(work.log.key), work.day
    ended = f"coalesce({name(work.log.ends)}, false)" if work.log.ends else "false"
    work.execute(f"""
        create or replace temp table landing_chain as
        with concerned as (
            select {key} from {versions} group by {key}
            having {work.beyond(f"min({day})", "max(arrival)")} or bool_or(set_aside)
        )

        select
            c.file_no, c.row_number, {columns(work.log.key, "c")}, c.arrival, c.{day}, {ended} as is_end,
            row({columns(work.log.position, "c")}) as position,
            dense_rank() over (partition by {columns(work.log.key, "c")} order by c.arrival) as turn,
            coalesce(not c.without_day and d.set_aside, false) as set_aside
        from {versions} as c
        semi join concerned using ({key})
        left join {work.table("days")} as d on c.file_no = d.file_no and {same("c", "d", work.of_day)}
    """)
    ((turns,),) = work.rows("select coalesce(max(turn), 0) from landing_chain")
    for turn in range(2, turns + 1):
        work.execute(f"""
            update landing_chain as c set set_aside = true
            from (
                select {key}, max(position) as position, arg_max({day}, position) as {day}, arg_max(is_end, position) as is_end
                from landing_chain
                where turn < {turn} and not set_aside
                group by {key}
            ) as s
            where
                c.turn = {turn} and not c.set_aside and {same("c", "s", work.log.key)} and c.position > s.position
                and not s.is_end and {work.beyond(f"s.{day}", "c.arrival")}
                and not exists (
                    select 1
                    from {work.table("admitted")} as a
                    inner join {work.table("files")} as f on a.batch_id = f.batch_id
                    where a.month = {work.month_of("s")} and f.file_no = c.file_no
                )
        """)


def _give_days(work: LogWork) -> bool:
    """Give each tombstone that came without a day that of the version that it ends, else of the next; return whether any moved.

    Versions that are set aside are ended by nobody while there are others.
    """
    versions, day = work.table("versions"), work.day
    if not work.log.ends or not work.rows(f"select 1 from {versions} where without_day limit 1"):
        return False
    window = f"partition by {columns(work.log.key)} order by {columns(work.log.position)} rows between"
    before, after = f"({window} unbounded preceding and 1 preceding)", f"({window} 1 following and unbounded following)"
    standing, any_day = (f"case when not without_day{more} then {day} end" for more in (" and not set_aside", ""))
    shown = columns([each for each in dict.fromkeys((*work.of_day, *work.log.measures)) if each != work.log.day])
    work.execute(f"""
        create or replace temp table landing_given as
        select file_no, row_number, batch_id, arrival, {shown}, {day} as former_day, given_day
        from (
            select
                *,
                coalesce(
                    last_value({standing} ignore nulls) over {before},
                    first_value({standing} ignore nulls) over {after},
                    last_value({any_day} ignore nulls) over {before},
                    first_value({any_day} ignore nulls) over {after}
                ) as given_day
            from {versions}
            semi join (select distinct {columns(work.log.key)} from {versions} where without_day) using ({columns(work.log.key)})
        )
        where without_day and given_day is distinct from {day}
    """)
    if not work.rows("select 1 from landing_given limit 1"):
        return False
    work.execute(f"""
        update {versions} as c set {day} = g.given_day
        from landing_given as g where c.file_no = g.file_no and c.row_number = g.row_number
    """)
    work.execute("insert into landing_days select unnest([former_day, given_day]) from landing_given")
    work.execute(f"delete from landing_days where {day} is null")
    _move_between_days(work)
    return True


def _move_between_days(work: LogWork) -> None:
    """Take the rows of ``landing_given`` from the sums of the days that they were on, and add them to those of their days."""
    days, day, apart = work.table("days"), work.day, work.log.apart
    by = columns(("file_no", *apart))
    added = ", ".join(f"sum(sign * coalesce({name(each)}, 0)) as {name(each)}" for each in work.log.measures)
    plus = ", ".join(
        f"{name(each)} = case when d.{name(each)} is null and m.{name(each)} = 0 then null"
        f" else coalesce(d.{name(each)}, 0) + m.{name(each)} end"
        for each in work.log.measures
    )
    work.execute(f"""
        create or replace temp table landing_moved as
        select batch_id, arrival, {by}, {day}, sum(sign)::BIGINT as row_count, {added}
        from (
            select *, former_day as {day}, -1 as sign from landing_given where former_day is not null
            union all by name
            select *, given_day as {day}, 1 as sign from landing_given where given_day is not null
        )
        group by all
    """)
    same_part = f"d.file_no = m.file_no and {same('d', 'm', work.of_day)} and d.scope is null"
    work.execute(f"""
        update {days} as d set row_count = d.row_count + m.row_count, {plus} from landing_moved as m where {same_part}
    """)
    work.execute(f"""
        insert into {days} by name
        select f.source, m.*, cast(null as VARCHAR) as scope, true as is_live, false as set_aside
        from landing_moved as m
        inner join {work.table("files")} as f on m.file_no = f.file_no
        anti join {days} as d on {same_part}
    """)
    work.execute(f"delete from {days} where row_count = 0")


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
