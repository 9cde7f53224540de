-- Days of the month on which other rows may not count than when they were published last, one row each, with what tells these
-- rows: the hashes of the outcomes and of the versions that are set aside, as they are on record. Of any other day neither the
-- rows that do not count nor an event that left it can be new.
with outcomes as (
    select e.key::date as usage_date, e.value ->> '$' as hash
    from meta.partitions as p, json_each(p.slices) as e
    where p.month = $first and p.table_name = 'curated.cloud_event_outcomes'
),

versions as (
    select substr(source, length('cloud_events_versions/') + 1)::date as usage_date, hash
    from meta.slices
    where month = $first and stream = 'cloud' and starts_with(source, 'cloud_events_versions/')
),

present as (
    select usage_date, concat(o.hash, ' ', v.hash) as rows_hash
    from outcomes as o
    full join versions as v using (usage_date)
),

published as (
    select usage_date, rows_hash
    from meta.cloud_published_days
    where usage_date between $first and $last
)

select usage_date, n.rows_hash
from published as p
full join present as n using (usage_date)
where p.rows_hash is null or p.rows_hash is distinct from n.rows_hash
