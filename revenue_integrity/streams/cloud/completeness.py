"""Whether a tenant's day is complete: from the arrivals of batches alone, never from the clock.

Belongs here: the rule of ``data_complete`` (30-cloud, *Stages* 3), when a day is due and available, and the slices by which a day
whose answer changes becomes stale. Does not belong here: costs (``mart``).

A day is complete for a tenant when its publishing cutoff has passed (some batch of the stream arrived after it), every source
that is expected for the tenant has delivered for it at or after the end of the day, and at least one source has.

With ``cloud_incomplete_days = hold`` a tenant's day that is not complete is *held back*: nothing behind the events shows what
came for it. One that was complete before (a delivery was taken back, one more source is expected) stays as it was then.
"""

import json
from typing import TYPE_CHECKING

from revenue_integrity.streams.cloud.schemas import DAILY_ACCOUNT_COST
from revenue_integrity.streams.cloud.settings import CloudSettings
from revenue_integrity.warehouse.storage import ensure_table

if TYPE_CHECKING:
    import duckdb

COMPLETENESS = "cloud_completeness"
"""The slice of a day's complete tenants."""

SETTINGS = ("available_by", "cloud_incomplete_days", "expected_source_days", "expected_sources")

DAYS = "cloud_days_due"
"""The slice of a month's days that are due, of all tenants."""

HELD = "cloud_days_held"
"""The slice of the tenants whose day is held back, by day; and of a month, with what came for them."""

_DUE = """
    create or replace temp table due_now as
    with deliveries as (
        select distinct tenant_id, source, arrival from cloud_events.days
        union
        -- A withdrawal of an event that did not come yet is on no day, and was delivered all the same.
        select tenant_id, 'billing_events', arrival from cloud_events.versions where usage_date is null
    ),

    newest as (
        select max(arrival) as arrival from meta.batches where stream = 'cloud' and first_status = 'loaded'
    ),

    -- Days to the last one due: its cutoff is on the day after it.
    spans as (
        select
            d.tenant_id,
            min(d.usage_date) as first_day,
            greatest(
                max(d.usage_date), any_value(((n.arrival - to_minutes($minutes)) at time zone 'UTC')::date - 1)
            ) as last_day
        from cloud_events.days as d
        cross join newest as n
        group by d.tenant_id
    ),

    tenant_days as (
        select
            tenant_id,
            usage_date::date as usage_date,
            (usage_date::date + 1)::timestamp at time zone 'UTC' as day_end
        from (select tenant_id, unnest(generate_series(first_day, last_day, interval 1 day)) as usage_date from spans)
    ),

    named as (
        select unnest(json_keys($expected::json)) as tenant_id
    ),

    expected as (
        select n.tenant_id, unnest(from_json(json_extract($expected::json, '$."' || n.tenant_id || '"'), '["VARCHAR"]')) as source
        from named as n
    ),

    wanted as (
        select t.tenant_id, t.usage_date, t.day_end, e.source
        from tenant_days as t
        inner join expected as e on t.tenant_id = e.tenant_id
        union
        select t.tenant_id, t.usage_date, t.day_end, d.source
        from tenant_days as t
        inner join deliveries as d
            on t.tenant_id = d.tenant_id
            and d.arrival >= t.day_end - to_days(1 + $days) and d.arrival < t.day_end - to_days(1)
            -- Additions come when there is something to add: nobody can wait for them.
            and d.source in ('billing_events', 'focus')
        anti join named as n on t.tenant_id = n.tenant_id
    ),

    delivered as (
        select w.tenant_id, w.usage_date, max(d.arrival) as last_arrival, count(*) = count(d.arrival) as is_whole
        from wanted as w
        asof left join deliveries as d on w.tenant_id = d.tenant_id and w.source = d.source and w.day_end <= d.arrival
        group by w.tenant_id, w.usage_date
    ),

    available as (
        select
            t.tenant_id,
            t.usage_date,
            t.day_end + to_minutes($minutes) as due_at,
            -- Whoever was expected must have delivered, and somebody must.
            case when w.tenant_id is null then d.arrival when w.is_whole then w.last_arrival end as available_at
        from tenant_days as t
        asof left join deliveries as d on t.tenant_id = d.tenant_id and t.day_end <= d.arrival
        left join delivered as w on t.tenant_id = w.tenant_id and t.usage_date = w.usage_date
    )

    select a.*, a.available_at is not null and a.due_at <= n.arrival as complete, a.due_at <= n.arrival as is_due
    from available as a
    cross join newest as n
"""


def refresh(connection: "duckdb.DuckDBPyConnection", settings: CloudSettings) -> None:
    """Work out anew which days are due, complete and held back (``meta.cloud_*_days``), and the slices of months and days."""
    connection.execute(
        "create table if not exists meta.cloud_complete_days (tenant_id VARCHAR not null, usage_date DATE not null)"
    )
    expected = {tenant.upper(): list(sources) for tenant, sources in sorted(settings.expected_sources.items())}
    connection.begin()
    connection.execute(
        _DUE,
        {
            "expected": json.dumps(expected),
            "days": settings.expected_source_days,
            "minutes": settings.minutes_until_due,
        },
    )
    connection.execute("""
        create or replace table meta.cloud_due_days (
            tenant_id VARCHAR not null, usage_date DATE not null, due_at TIMESTAMPTZ not null, available_at TIMESTAMPTZ,
            complete BOOLEAN not null, is_due BOOLEAN not null
        )
    """)
    connection.execute("insert into meta.cloud_due_days from due_now")
    connection.execute("delete from meta.cloud_complete_days")
    # Of days with rows alone: the published contract has no others.
    connection.execute("""
        insert into meta.cloud_complete_days
        select tenant_id, usage_date from due_now semi join cloud_events.days using (tenant_id, usage_date) where complete
    """)
    connection.execute(f"""
        delete from meta.slices
        where stream = 'cloud' and (split_part(source, '/', 1) in ('{COMPLETENESS}', '{HELD}') or source = '{DAYS}')
    """)
    connection.execute(f"""
        insert into meta.slices
        select 'cloud', '{COMPLETENESS}/' || usage_date, date_trunc('month', usage_date)::date,
            sha256(string_agg(tenant_id, chr(10) order by tenant_id))
        from meta.cloud_complete_days group by usage_date
    """)
    connection.execute(f"""
        insert into meta.slices
        select 'cloud', '{DAYS}', date_trunc('month', usage_date)::date,
            sha256(string_agg(
                concat_ws('|', tenant_id, usage_date, due_at, available_at, complete, is_due), chr(10)
                order by tenant_id, usage_date
            ))
        from meta.cloud_due_days group by all
    """)
    _hold_back(connection, holds=settings.cloud_incomplete_days == "hold")
    connection.execute("drop table due_now")
    connection.commit()


def _hold_back(connection: "duckdb.DuckDBPyConnection", *, holds: bool) -> None:
    """Write ``meta.cloud_held_days`` and its slices: tenants' days that are not complete, with rows now or when they were."""
    connection.execute("create or replace table meta.cloud_held_days (tenant_id VARCHAR not null, usage_date DATE not null)")
    if not holds:
        return
    ensure_table(connection, DAILY_ACCOUNT_COST)
    connection.execute(f"""
        insert into meta.cloud_held_days
        select tenant_id, usage_date from due_now semi join cloud_events.days using (tenant_id, usage_date) where not complete
        union
        select tenant_id, usage_date from due_now
        semi join (select * from {DAILY_ACCOUNT_COST.qualified} where data_complete) using (tenant_id, usage_date)
        where not complete
    """)
    connection.execute(f"""
        insert into meta.slices
        select 'cloud', '{HELD}/' || usage_date, date_trunc('month', usage_date)::date,
            sha256(string_agg(tenant_id, chr(10) order by tenant_id))
        from meta.cloud_held_days group by usage_date
    """)
    connection.execute(f"""
        insert into meta.slices
        select 'cloud', '{HELD}', date_trunc('month', usage_date)::date,
            sha256(string_agg(
                concat_ws('|', tenant_id, usage_date, file_no, row_count, cost, is_live), chr(10)
                order by tenant_id, usage_date, file_no, scope
            ))
        from cloud_events.days semi join meta.cloud_held_days using (tenant_id, usage_date)
        group by all
    """)
