-- A contract's power cost is negative only where a charge of its site's bill is; one row.
with compared as (
    select
        a.amount_cents,
        case a.charge
            when 'energy' then b.energy_cents
            when 'demand' then b.demand_cents
            when 'fixed' then b.fixed_cents
            else b.tax_cents
        end as billed_cents
    from mart.power_allocation as a
    inner join curated.power_bills as b on a.site_id = b.site_id and b.month = $month
    where a.month = $month
)

select
    count(*) filter (where amount_cents < 0 and billed_cents >= 0) = 0 as passed,
    count(*) filter (where amount_cents < 0) as negative_rows,
    coalesce(sum(amount_cents) filter (where amount_cents < 0), 0)::bigint as negative_cents,
    count(*) filter (where amount_cents < 0 and billed_cents >= 0) as negative_rows_without_credit
from compared
