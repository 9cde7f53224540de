-- What was billed up to this close against the whole price of the deal: no more while some of it remains, all of it after.
with
    promised as (
        select
            deal_id,
            any_value(customer_id) as customer_id,
            sum(expected_to_date_cents + remaining_cents)::bigint as whole_cents,
            sum(remaining_cents)::bigint as remaining_cents,
            bool_or(expected_cents <> 0) as is_due
        from mart.deal_line_month
        where month = $month
        group by deal_id
    ),

    billed as (
        select
            deal_id,
            any_value(customer_id) as customer_id,
            sum(billed_cents)::bigint as to_date_cents,
            bool_or(recognized_month = $month and billed_cents <> 0) as has_moved
        from mart.bookings_flows
        where month <= $month and recognized_month <= $month and revenue_type is null
        group by deal_id
    ),

    compared as (
        select
            coalesce(p.customer_id, b.customer_id) as customer_id,
            coalesce(p.deal_id, b.deal_id) as deal_id,
            coalesce(b.to_date_cents, 0) as billed_cents,
            case
                when coalesce(p.remaining_cents, 0) <> 0 then least(p.whole_cents, coalesce(b.to_date_cents, 0))
                else coalesce(p.whole_cents, 0)
            end as right_amount,
            coalesce(p.is_due, false) or coalesce(b.has_moved, false) as has_moved
        from promised as p
        full join billed as b on p.deal_id = b.deal_id
    )

select customer_id, deal_id, billed_cents as left_as_of_close, right_amount
from compared
where has_moved or billed_cents <> right_amount
