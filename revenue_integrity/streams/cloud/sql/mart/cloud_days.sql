-- When each day of a tenant was due and available, one row each, also of days for which nothing came.
with counted as (
    select
        tenant_id,
        usage_date,
        sum(event_count)::bigint as events
    from mart.daily_account_cost
    where month = $month
    group by tenant_id, usage_date
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
