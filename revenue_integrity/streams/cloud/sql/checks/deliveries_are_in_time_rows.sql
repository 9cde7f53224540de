-- Days of the month that were not available when they were due, those that are not yet available first.
select
    tenant_id,
    usage_date,
    due_at,
    available_at,
    events
from mart.cloud_days
where month = $month and not in_time
order by available_at is not null, usage_date, tenant_id
