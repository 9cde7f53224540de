"""Whether a tenant's day is complete: from the arrivals of batches alone, never from the clock.

Belongs here: the rule of ``data_complete`` (30-cloud, *Stages* 3) and the slices by which a day whose answer changes becomes
stale. Does not belong here: costs (``mart``).

A day is complete for a tenant when its publishing cutoff has passed (some batch of the stream arrived after it), every source
that is expected for the tenant has delivered for it at or after the end of the day, and at least one source has.
"""

import json
from typing import TYPE_CHECKING

from revenue_integrity.streams.cloud.settings import CloudSettings

if TYPE_CHECKING:
    import duckdb

COMPLETENESS = "cloud_completeness"
"""The slice of a day's complete tenants."""

SETTINGS = ("publishing_cutoff_hour", "expected_source_days", "expected_sources")

_TABLE = "create table if not exists meta.cloud_complete_days (tenant_id VARCHAR not null, usage_date DATE not null)"

_COMPLETE = """
    create or replace temp table complete_now as
    with deliveries as (
        select distinct tenant_id, source, arrival from cloud_events.days
        union
        -- A withdrawal of an event that did not come yet is on no day, and was delivered all the same.
        select tenant_id, 'billing_events', arrival from cloud_events.versions where usage_date is null
    ),

    tenant_days as (
        select distinct tenant_id, usage_date, (usage_date + 1)::timestamp at time zone 'UTC' as day_end from cloud_events.days
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

    lacking as (
        select distinct w.tenant_id, w.usage_date
        from wanted as w
        anti join deliveries as d on w.tenant_id = d.tenant_id and w.source = d.source and d.arrival >= w.day_end
    )

    select t.tenant_id, t.usage_date
    from tenant_days as t
    semi join deliveries as d on t.tenant_id = d.tenant_id and d.arrival >= t.day_end
    anti join lacking as l on t.tenant_id = l.tenant_id and t.usage_date = l.usage_date
    where t.day_end + to_hours($hour) <= (
        select max(arrival) from meta.batches where stream = 'cloud' and first_status = 'loaded'
    )
"""


def refresh(connection: "duckdb.DuckDBPyConnection", settings: CloudSettings) -> None:
    """Work out ``meta.cloud_complete_days`` anew, and the slices of the days."""
    connection.execute(
        "create table if not exists meta.cloud_complete_days (tenant_id VARCHAR not null, usage_date DATE not null)"
    )
    expected = {tenant.upper(): list(sources) for tenant, sources in sorted(settings.expected_sources.items())}
    connection.begin()
    connection.execute(
        _COMPLETE,
        {
            "expected": json.dumps(expected),
            "days": settings.expected_source_days,
            "hour": settings.publishing_cutoff_hour,
        },
    )
    connection.execute("delete from meta.cloud_complete_days")
    connection.execute("insert into meta.cloud_complete_days select * from complete_now")
    connection.execute(f"delete from meta.slices where stream = 'cloud' and starts_with(source, '{COMPLETENESS}/')")
    connection.execute(f"""
        insert into meta.slices
        select 'cloud', '{COMPLETENESS}/' || usage_date, date_trunc('month', usage_date)::date,
            sha256(string_agg(tenant_id, chr(10) order by tenant_id))
        from meta.cloud_complete_days group by usage_date
    """)
    connection.execute("drop table complete_now")
    connection.commit()
