-- Tenants' days that are not complete, in order; of those that are held back, what came for them.
with
{% include 'checks/event_parts.sql.j2' %}

select
    tenant_id,
    usage_date,
    sum(total_cost)::decimal(38, 18) as cost,
    sum(event_count)::bigint as events,
    'published as incomplete' as shown
from mart.daily_account_cost
where month = $month
group by tenant_id, usage_date
having not bool_and(data_complete)
union all
select
    d.tenant_id,
    d.usage_date,
    coalesce(b.cost, 0),
    coalesce(b.rows, 0),
    case when p.tenant_id is null then 'held back' else 'as it was when it was complete' end
from held_days as d
left join held_back as b on d.tenant_id = b.tenant_id and d.usage_date = b.usage_date
left join (select distinct tenant_id, usage_date from mart.daily_account_cost where month = $month) as p
    on d.tenant_id = p.tenant_id and d.usage_date = p.usage_date
order by usage_date, tenant_id
