-- What was recognized up to this close against what must be, per deal line; entries without a line stand by customer.
with
    expected as (
        select customer_id, deal_id, line_no, expected_cents, expected_to_date_cents
        from mart.deal_line_month
        where month = $month
    ),

    recognized as (
        select
            customer_id,
            deal_id,
            line_no,
            bool_or(recognized_month = $month and recognized_cents <> 0) as has_moved,
            sum(recognized_cents)::bigint as to_date_cents
        from mart.bookings_flows
        where month <= $month and recognized_month <= $month and revenue_type is not null
        group by all
    ),

    compared as (
        select
            coalesce(r.customer_id, e.customer_id) as customer_id,
            coalesce(r.deal_id, e.deal_id) as deal_id,
            coalesce(r.line_no, e.line_no) as line_no,
            coalesce(r.to_date_cents, 0) as recognized_cents,
            coalesce(e.expected_to_date_cents, 0) as due_cents,
            coalesce(r.has_moved, false) or coalesce(e.expected_cents, 0) <> 0 as has_moved
        from recognized as r
        full join expected as e on r.customer_id = e.customer_id and r.deal_id = e.deal_id and r.line_no = e.line_no
    )

select customer_id, deal_id, line_no, recognized_cents as left_as_of_close, due_cents as right_amount
from compared
where has_moved or recognized_cents <> due_cents
