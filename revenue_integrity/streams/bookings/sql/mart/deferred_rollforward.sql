-- Roll-forward of deferred revenue per deal, by the close that takes entries and billings in.
with
    moved as (
        select
            deal_id,
            any_value(customer_id) as customer_id,
            coalesce(sum(billed_cents - recognized_cents) filter (where recognized_month < $month), 0)::bigint as opening_cents,
            coalesce(sum(billed_cents) filter (where recognized_month = $month), 0)::bigint as billed_cents,
            coalesce(sum(recognized_cents) filter (where recognized_month = $month), 0)::bigint as recognized_cents
        from mart.bookings_flows
        where month <= $month and recognized_month <= $month and deal_id is not null
        group by deal_id
    )

select
    $month::date as month,
    deal_id,
    customer_id,
    opening_cents,
    billed_cents,
    recognized_cents,
    opening_cents + billed_cents - recognized_cents as closing_cents
from moved
where opening_cents <> 0 or billed_cents <> 0 or recognized_cents <> 0
