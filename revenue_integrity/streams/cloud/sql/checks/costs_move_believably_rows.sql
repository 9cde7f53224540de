-- Tenants' days whose cost is not believable, those farthest from their median first.
with
{% include 'checks/believable_costs.sql.j2' %}

select
    tenant_id,
    usage_date,
    cost,
    median_cost,
    delta_to_day_before
from judged
where is_suspect
order by abs(cost - median_cost) desc, tenant_id, usage_date
