-- Stage 3, the published contract: cost by tenant, account and day, one row each.
-- Reads `services_of_days` (stage 2 of the days in hand) and `complete_days` (tenant and day whose data is complete).
-- Runs on both engines.
with costs as (
    select
        month,
        tenant_id,
        account_id,
        usage_date,
        cast(sum(total_cost) as decimal(38, 18)) as total_cost,
        cast(sum(event_count) as bigint) as event_count
    from services_of_days
    group by month, tenant_id, account_id, usage_date
)

select
    c.month,
    c.tenant_id,
    c.account_id,
    c.usage_date,
    c.total_cost,
    c.event_count,
    d.tenant_id is not null as data_complete,
    cast(null as timestamp with time zone) as published_at
from costs as c
left join complete_days as d on c.tenant_id = d.tenant_id and c.usage_date = d.usage_date
