-- Negative costs of events, the largest first.
with
{% include 'checks/negative_costs.sql.j2' %}

select * from negative order by cost, usage_date, tenant_id, what
