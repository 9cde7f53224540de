-- Power bills and their allocation, stranded power included, one row per site and charge.
with
    bills as (
        select
            site_id,
            unnest(['energy', 'demand', 'fixed', 'tax']) as charge_type,
            unnest([energy_cents, demand_cents, fixed_cents, tax_cents]) as billed_cents
        from curated.power_bills
        where month = $month
    ),

    allocated as (
        select
            site_id,
            charge as charge_type,
            sum(amount_cents) as allocated_cents
        from mart.power_allocation
        where month = $month
        group by all
    )

select
    coalesce(b.site_id, a.site_id) as site_id,
    coalesce(b.charge_type, a.charge_type) as charge_type,
    coalesce(b.billed_cents, 0) as left_current,
    coalesce(a.allocated_cents, 0) as right_amount
from bills as b
full join allocated as a on b.site_id = a.site_id and b.charge_type = a.charge_type
