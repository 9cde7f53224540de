-- Tenants' days that are held back, in order, with what came for them.
with
{% include 'checks/event_parts.sql.j2' %}

select
    d.tenant_id,
    d.usage_date,
    coalesce(b.rows, 0) as events,
    coalesce(b.cost, 0) as cost
from held_days as d
left join held_back as b on d.tenant_id = b.tenant_id and d.usage_date = b.usage_date
order by d.usage_date, d.tenant_id
