-- When each day of a tenant was due and available, one row each, also of days for which nothing came.
-- Of days that are held back, what came for them is counted.
with
{% include 'checks/event_parts.sql.j2' %},

    counted as (
        select
            tenant_id,
            usage_date,
            sum(event_count)::bigint as events
        from mart.daily_account_cost
        anti join held_days using (tenant_id, usage_date)
        where month = $month
        group by tenant_id, usage_date
        union all
        select tenant_id, usage_date, rows from held_back
    )

select
    $month::date as month,
    d.tenant_id,
    d.usage_date,
    d.due_at,
    d.available_at,
    coalesce(d.available_at <= d.due_at, false) as in_time,
    d.complete,
    coalesce(c.events, 0) as events
from meta.cloud_due_days as d
left join counted as c on d.tenant_id = c.tenant_id and d.usage_date = c.usage_date
where d.usage_date between $month and $month_end
