-- Revenue and power cost of each contract split over its racks by rated power times days assigned, by largest remainder.
with
    assigned as (
        select
            contract_id,
            rack_id,
            sum(
                (rated_kw::decimal(38, 6) * 1000000)::hugeint
                * (least(coalesce(removed_on, $month_end::date), $month_end::date) - greatest(installed_on, $month::date) + 1)
            ) as weight
        from raw.rack_assignments
        where row_status = 'surviving' and installed_on <= $month_end and coalesce(removed_on, $month_end) >= $month
        group by contract_id, rack_id
    ),

    weighted as (
        select
            c.contract_id,
            c.site_id,
            coalesce(a.rack_id, 'UNASSIGNED') as rack_id,
            coalesce(a.weight, 0)::hugeint as own_weight,
            c.revenue_cents,
            c.power_cost_cents
        from mart.contract_month as c
        left join assigned as a on c.contract_id = a.contract_id
        where c.month = $month
    ),

    weights as (
        select
            *,
            (case when sum(own_weight) over racks = 0 then 1 else own_weight end)::hugeint as weight
        from weighted
        window racks as (partition by contract_id)
    ),

    floors as (
        select
            *,
            abs(revenue_cents)::hugeint * weight // sum(weight) over racks as whole_revenue,
            abs(revenue_cents)::hugeint * weight % sum(weight) over racks as revenue_remainder,
            abs(power_cost_cents)::hugeint * weight // sum(weight) over racks as whole_cost,
            abs(power_cost_cents)::hugeint * weight % sum(weight) over racks as cost_remainder
        from weights
        window racks as (partition by contract_id)
    ),

    ranked as (
        select
            *,
            abs(revenue_cents) - sum(whole_revenue) over racks as revenue_left,
            abs(power_cost_cents) - sum(whole_cost) over racks as cost_left,
            row_number() over (partition by contract_id order by revenue_remainder desc, rack_id) as revenue_place,
            row_number() over (partition by contract_id order by cost_remainder desc, rack_id) as cost_place
        from floors
        window racks as (partition by contract_id)
    ),

    split as (
        select
            contract_id,
            rack_id,
            site_id,
            own_weight,
            (sign(revenue_cents) * (whole_revenue + (revenue_place <= revenue_left)::integer))::bigint as revenue_cents,
            (sign(power_cost_cents) * (whole_cost + (cost_place <= cost_left)::integer))::bigint as power_cost_cents
        from ranked
    )

select
    $month::date as month,
    contract_id,
    rack_id,
    site_id,
    (own_weight::decimal(30, 0) * 0.000001::decimal(7, 6))::decimal(18, 6) as rated_kw_days,
    revenue_cents,
    power_cost_cents,
    revenue_cents - power_cost_cents as margin_cents
from split
