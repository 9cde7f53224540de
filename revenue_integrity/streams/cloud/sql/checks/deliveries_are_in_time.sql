-- Every tenant's day of the month that is due was available when it was due; one row. A day is due when its cutoff has passed.
select
    coalesce(bool_and(d.in_time), true) as passed,
    count(*) as days_due,
    count(*) filter (where d.in_time) as days_in_time,
    count(*) filter (where not d.in_time and d.available_at is not null) as days_late,
    count(*) filter (where d.available_at is null) as days_missing
from mart.cloud_days as d
inner join meta.cloud_due_days as due on d.tenant_id = due.tenant_id and d.usage_date = due.usage_date
where d.month = $month and (due.is_due or d.in_time)
