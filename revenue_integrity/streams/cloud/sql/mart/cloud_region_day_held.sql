-- Cost by region and pricing model where days are held back until they are complete, one row as in `cloud_region_day`.
-- Reads beside its inputs `held_days` (tenants' days of which nothing that came is shown) and `kept_rows` (what stays of them).
-- Runs on both engines.
with came as (
{% include 'mart/cloud_region_day.sql' %}
)

select
    c.month,
    c.tenant_id,
    c.region,
    c.pricing_model,
    c.usage_date,
    c.total_cost,
    c.effective_cost,
    c.event_count
from came as c
left join held_days as h on c.tenant_id = h.tenant_id and c.usage_date = h.usage_date
where h.tenant_id is null
union all
select
    month,
    tenant_id,
    region,
    pricing_model,
    usage_date,
    total_cost,
    effective_cost,
    event_count
from kept_rows
