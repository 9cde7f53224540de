-- Contract revenue is the sum of its components and of the expected charges; margin is revenue less power cost; one row.
with charges as (
    select
        contract_id,
        sum(amount_cents)::bigint as charged_cents
    from mart.expected_charges
    where month = $month
    group by contract_id
),

compared as (
    select
        m.revenue_cents,
        m.margin_cents,
        m.revenue_rack_cents + m.revenue_power_cents + m.revenue_energy_cents + m.revenue_overage_cents
        + m.revenue_one_time_cents as component_cents,
        m.cost_energy_cents + m.cost_demand_cents + m.cost_fixed_cents + m.cost_tax_cents as cost_cents,
        m.power_cost_cents,
        coalesce(c.charged_cents, 0) as charged_cents,
        m.contract_id is null as is_without_contract_month
    from (select * from mart.contract_month where month = $month) as m
    full join charges as c on m.contract_id = c.contract_id
)

select
    count(*) filter (
        where is_without_contract_month
        or revenue_cents <> component_cents
        or revenue_cents <> charged_cents
        or cost_cents <> power_cost_cents
        or margin_cents <> revenue_cents - power_cost_cents
    ) = 0 as passed,
    count(*) as contracts,
    coalesce(sum(revenue_cents), 0)::bigint as revenue_cents,
    coalesce(sum(charged_cents), 0)::bigint as expected_charges_cents,
    coalesce(sum(power_cost_cents), 0)::bigint as power_cost_cents,
    coalesce(sum(margin_cents), 0)::bigint as margin_cents
from compared
