-- Per site and charge: what is allocated and what is stranded add up to the bill, to the cent; one row.
with
{% include 'mart/bills_by_charge.sql.j2' %},

    allocated as (
        select
            site_id,
            charge,
            sum(amount_cents)::bigint as allocated_cents,
            coalesce(sum(amount_cents) filter (where contract_id = 'STRANDED'), 0)::bigint as stranded_cents
        from mart.power_allocation
        where month = $month
        group by site_id, charge
    ),

    compared as (
        select
            coalesce(b.billed_cents, 0) as billed_cents,
            coalesce(a.allocated_cents, 0) as allocated_cents,
            coalesce(a.stranded_cents, 0) as stranded_cents
        from bills as b
        full join allocated as a on b.site_id = a.site_id and b.charge = a.charge
    )

select
    count(*) filter (where billed_cents <> allocated_cents) = 0 as passed,
    coalesce(sum(billed_cents), 0)::bigint as billed_cents,
    coalesce(sum(allocated_cents), 0)::bigint as allocated_and_stranded_cents,
    coalesce(sum(stranded_cents), 0)::bigint as stranded_cents,
    coalesce(sum(abs(billed_cents - allocated_cents)), 0)::bigint as gross_difference_cents
from compared
