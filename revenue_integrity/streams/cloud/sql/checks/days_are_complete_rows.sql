-- Tenants' days that are not complete, in order.
select
    tenant_id,
    usage_date,
    sum(total_cost)::decimal(38, 18) as cost,
    sum(event_count)::bigint as events
from mart.daily_account_cost
where month = $month
group by tenant_id, usage_date
having not bool_and(data_complete)
order by usage_date, tenant_id
