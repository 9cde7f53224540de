-- Days of the month that rest on other events than stand in the store now, one row each: a delivery was read after the stages
-- were computed. Slices of days are recorded with what was made from them.
with made_from as (
    select e.key as input, e.value ->> '$' as hash
    from meta.partitions as p, json_each(p.inputs) as e
    where
        p.month = $first
        and (
            (p.table_name = 'curated.cloud_event_outcomes' and starts_with(e.key, 'raw.cloud_events_versions/'))
            or (p.table_name = 'mart.account_service_day' and starts_with(e.key, 'raw.cloud_events/'))
        )
),

present as (
    select 'raw.' || source as input, hash
    from meta.slices
    where
        month = $first
        and stream = 'cloud'
        and (starts_with(source, 'cloud_events_versions/') or starts_with(source, 'cloud_events/'))
)

select distinct split_part(input, '/', 2) as usage_date
from made_from as m
full join present as p using (input)
where m.hash is distinct from p.hash
order by usage_date
