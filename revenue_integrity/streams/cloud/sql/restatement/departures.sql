-- Events that left a published day of the month for another one on which they are not published yet: one row each. Whichever
-- of the two months is published first, both ends are told as moved; also if the day that they left keeps its cost.
with outcomes as (
    select *
    from curated.cloud_event_outcomes
    anti join restatement_kept using (tenant_id, usage_date)
    where month = $first and usage_date in (select usage_date from restatement_differing)
),

withdrawn as (
    select distinct tenant_id, event_id, usage_date from outcomes where outcome = 'deleted'
),

leaving as (
    select distinct o.tenant_id, o.event_id, o.usage_date
    from outcomes as o
    semi join meta.cloud_published_live as p
        on o.usage_date = p.usage_date and p.source = 'billing_events' and o.batch_id = p.batch_id
        and o.file_name = p.file_name and o.tenant_id = p.tenant_id
    anti join meta.cloud_published_excluded as x
        on o.usage_date = x.usage_date and o.batch_id = x.batch_id and o.file_name = x.file_name
        and o.row_number = x.row_number
    anti join withdrawn as w
        on o.tenant_id = w.tenant_id and o.event_id = w.event_id and o.usage_date = w.usage_date
    where o.by_usage_date <> o.usage_date
),

arrived as (
    select c.tenant_id, c.event_id
    from cloud_events.versions as c
    inner join leaving as v
        on c.tenant_id = v.tenant_id and c.event_id = v.event_id and c.usage_date <> v.usage_date
    semi join meta.cloud_published_live as p
        on c.usage_date = p.usage_date and p.source = 'billing_events' and c.batch_id = p.batch_id
        and c.file_name = p.file_name and c.tenant_id = p.tenant_id
    anti join meta.cloud_published_excluded as x
        on c.usage_date = x.usage_date and c.batch_id = x.batch_id and c.file_name = x.file_name
        and c.row_number = x.row_number
    where c.is_moved and not coalesce(c.is_deleted, false)
)

select distinct tenant_id, event_id
from leaving
anti join arrived using (tenant_id, event_id)
