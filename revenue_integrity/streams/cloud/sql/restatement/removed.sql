-- Versions of events that counted on a changing day and that no other version of the event replaces there: one row each, with
-- why and by which batch. Its event moved to another day, was withdrawn, or its file no longer counts.
with outcomes as (
    select *
    from curated.cloud_event_outcomes
    where month = $first and usage_date in (select usage_date from restatement_changes)
),

withdrawn as (
    select distinct tenant_id, event_id, usage_date from outcomes where outcome = 'deleted'
)

select
    v.usage_date,
    v.tenant_id,
    v.event_id,
    v.account_id,
    v.service_name,
    v.region,
    v.pricing_model,
    v.cost,
    case
        when o.row_number is null then 'omission'
        when w.event_id is not null then 'deletion'
        when o.by_usage_date <> v.usage_date then 'moved'
        else 'correction'
    end as cause,
    case when o.row_number is null then v.batch_id else o.by_batch_id end as batch_id,
    o.by_usage_date
from restatement_versions as v
anti join (select * from restatement_versions where counts) as a
    on v.tenant_id = a.tenant_id and v.event_id = a.event_id and v.usage_date = a.usage_date
left join outcomes as o
    on v.batch_id = o.batch_id and v.file_name = o.file_name and v.row_number = o.row_number
left join withdrawn as w
    on v.tenant_id = w.tenant_id and v.event_id = w.event_id and v.usage_date = w.usage_date
where not v.counts
