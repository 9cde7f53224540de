-- Power bills and their allocation, stranded power included, one row per site and charge.
with
{% include 'mart/bills_by_charge.sql.j2' %},

    allocated as (
        select
            site_id,
            charge,
            sum(amount_cents) as allocated_cents
        from mart.power_allocation
        where month = $month
        group by all
    )

select
    coalesce(b.site_id, a.site_id) as site_id,
    coalesce(b.charge, a.charge) as charge_type,
    coalesce(b.billed_cents, 0) as left_current,
    coalesce(a.allocated_cents, 0) as right_amount
from bills as b
full join allocated as a on b.site_id = a.site_id and b.charge = a.charge
