-- Cost by tenant, region, pricing model and day, one row each; from the events, never from an aggregate.
-- Reads `events` (all rows of the days in hand) and `outcomes` (those of them that do not count). Runs on both engines.
with parts as (
    select
        tenant_id, region, pricing_model, usage_date, sum(cost) as cost, sum(effective_cost) as effective_cost,
        count(*) as event_count
    from events
    group by tenant_id, region, pricing_model, usage_date
    union all
    select
        tenant_id, region, pricing_model, usage_date, -sum(cost) as cost, -sum(effective_cost) as effective_cost,
        -count(*) as event_count
    from outcomes
    group by tenant_id, region, pricing_model, usage_date
)

select
    cast(date_trunc('month', usage_date) as date) as month,
    tenant_id,
    coalesce(region, 'UNKNOWN') as region,
    coalesce(pricing_model, 'UNKNOWN') as pricing_model,
    usage_date,
    cast(sum(cost) as decimal(38, 18)) as total_cost,
    cast(sum(effective_cost) as decimal(38, 18)) as effective_cost,
    cast(sum(event_count) as bigint) as event_count
from parts
group by tenant_id, coalesce(region, 'UNKNOWN'), coalesce(pricing_model, 'UNKNOWN'), usage_date
having sum(event_count) <> 0
