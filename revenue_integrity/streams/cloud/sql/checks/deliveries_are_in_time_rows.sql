-- Days of the month that were not available when they were due, those that are not yet available first.
select
    d.tenant_id,
    d.usage_date,
    d.due_at,
    d.available_at,
    d.events
from mart.cloud_days as d
inner join meta.cloud_due_days as due on d.tenant_id = due.tenant_id and d.usage_date = due.usage_date
where d.month = $month and due.is_due and not d.in_time
order by d.available_at is not null, d.usage_date, d.tenant_id
