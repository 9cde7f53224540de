-- What accounting booked for power and what is allocated, stranded power included, one row per site.
with
    booked as (
        select
            site_id,
            coalesce(sum(amount_cents) filter (where posted_at <= $cutoff), 0) as as_of_close_cents,
            sum(amount_cents) as current_cents
        from raw.erp_power_costs
        where month = $month and row_status = 'surviving'
        group by site_id
    ),

    allocated as (
        select
            site_id,
            sum(amount_cents) as allocated_cents
        from mart.power_allocation
        where month = $month
        group by site_id
    )

select
    coalesce(b.site_id, a.site_id) as site_id,
    coalesce(b.as_of_close_cents, 0) as left_as_of_close,
    coalesce(b.current_cents, 0) as left_current,
    coalesce(a.allocated_cents, 0) as right_amount
from booked as b
full join allocated as a on b.site_id = a.site_id
