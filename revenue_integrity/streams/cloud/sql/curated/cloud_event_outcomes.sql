-- Stage 1: rows that do not count, one row per version of an event that is superseded, an exact duplicate or deleted.
-- Reads `claims`: all versions, on whatever day, of the events that have more than one row or a tombstone. Runs on both engines.
-- Latest ingestion wins, under a total order: ties on ingested_at alone would give another total on each run.
with versions as (
    select
        *,
        row_number() over (partition by tenant_id, event_id order by ingested_at, arrival, file_name, row_number) as place,
        coalesce(
            lag(content) over (
                partition by tenant_id, event_id order by ingested_at, arrival, file_name, row_number
            ) = content,
            false
        ) as is_duplicate
    from claims
),

-- Grouped rather than ranked again: a second window would sort all versions once more.
latest as (
    select tenant_id, event_id, max(place) as place, count(*) as versions
    from versions
    where not is_duplicate
    group by tenant_id, event_id
),

winners as (
    select v.tenant_id, v.event_id, v.place, v.batch_id, v.usage_date, v.is_deleted, l.versions
    from versions as v
    inner join latest as l on v.tenant_id = l.tenant_id and v.event_id = l.event_id and v.place = l.place
)

select
    cast(date_trunc('month', v.usage_date) as date) as month,
    v.usage_date,
    v.batch_id,
    v.file_name,
    v.row_number,
    v.file_no,
    v.tenant_id,
    v.event_id,
    v.account_id,
    v.cost,
    case when v.is_duplicate then 'duplicate' when w.is_deleted then 'deleted' else 'superseded' end as outcome,
    w.batch_id as by_batch_id,
    w.usage_date as by_usage_date,
    w.versions
from versions as v
inner join winners as w on v.tenant_id = w.tenant_id and v.event_id = w.event_id
inner join days as d on v.usage_date = d.usage_date
where v.is_duplicate or v.place <> w.place or w.is_deleted
