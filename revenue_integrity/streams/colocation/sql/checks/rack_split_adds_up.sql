-- Per contract: revenue and power cost of its racks add up to the contract's; one row.
with racks as (
    select
        contract_id,
        sum(revenue_cents)::bigint as revenue_cents,
        sum(power_cost_cents)::bigint as power_cost_cents
    from mart.rack_month
    where month = $month
    group by contract_id
),

compared as (
    select
        coalesce(m.revenue_cents, 0) as revenue_cents,
        coalesce(m.power_cost_cents, 0) as power_cost_cents,
        coalesce(r.revenue_cents, 0) as rack_revenue_cents,
        coalesce(r.power_cost_cents, 0) as rack_power_cost_cents,
        m.contract_id is null or r.contract_id is null as is_one_sided
    from (select * from mart.contract_month where month = $month) as m
    full join racks as r on m.contract_id = r.contract_id
)

select
    count(*) filter (
        where is_one_sided or revenue_cents <> rack_revenue_cents or power_cost_cents <> rack_power_cost_cents
    ) = 0 as passed,
    count(*) as contracts,
    coalesce(sum(rack_revenue_cents), 0)::bigint as rack_revenue_cents,
    coalesce(sum(rack_power_cost_cents), 0)::bigint as rack_power_cost_cents
from compared
