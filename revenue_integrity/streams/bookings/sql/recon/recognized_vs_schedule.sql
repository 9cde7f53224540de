-- What accounting recognized against what must be, per deal line and revenue type; entries without a line stand by customer.
with
    expected as (
        select customer_id, deal_id, line_no, revenue_type, expected_cents
        from mart.deal_line_month
        where month = $month and expected_cents <> 0
    ),

    recognized as (
        select
            customer_id,
            deal_id,
            line_no,
            revenue_type,
            sum(amount_cents)::bigint as current_cents,
            coalesce(sum(amount_cents) filter (where not late), 0)::bigint as as_of_close_cents
        from curated.recognition_lines
        where month = $month
        group by all
    )

select
    coalesce(r.customer_id, e.customer_id) as customer_id,
    coalesce(r.deal_id, e.deal_id) as deal_id,
    coalesce(r.line_no, e.line_no) as line_no,
    coalesce(r.revenue_type, e.revenue_type) as revenue_type,
    coalesce(r.current_cents, 0) as left_current,
    coalesce(r.as_of_close_cents, 0) as left_as_of_close,
    coalesce(e.expected_cents, 0) as right_amount
from recognized as r
full join expected as e
    on r.customer_id = e.customer_id and r.deal_id = e.deal_id and r.line_no = e.line_no and r.revenue_type = e.revenue_type
