-- Stage 2: cost by tenant, account, service and day, one row each; from the events, never from an aggregate.
-- Reads `events` (all rows of the days in hand) and `outcomes` (those that do not count). Runs on both engines.
select
    cast(date_trunc('month', e.usage_date) as date) as month,
    e.tenant_id,
    e.account_id,
    e.service_name,
    e.usage_date,
    cast(sum(e.cost) as decimal(38, 12)) as total_cost_usd,
    cast(sum(e.effective_cost) as decimal(38, 12)) as effective_cost_usd,
    count(*) as event_count
from events as e
left join outcomes as o on e.file_no = o.file_no and e.row_number = o.row_number
where o.file_no is null
group by e.tenant_id, e.account_id, e.service_name, e.usage_date
