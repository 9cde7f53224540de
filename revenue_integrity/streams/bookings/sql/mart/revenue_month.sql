-- Revenue by segment and type, expected and recognized, entries without a line included.
with
    both_sides as (
        select customer_id, revenue_type, expected_cents, 0 as recognized_cents, 0 as recognized_at_close_cents
        from mart.deal_line_month
        where month = $month and expected_cents <> 0
        union all
        select customer_id, revenue_type, 0, amount_cents, if(late, 0, amount_cents)
        from curated.recognition_lines
        where month = $month
    )

select
    $month::date as month,
    coalesce(c.segment, 'UNKNOWN') as segment,
    b.revenue_type,
    case when list_contains($recurring_revenue_types, b.revenue_type) then 'recurring' else 'one_time' end as revenue_class,
    sum(b.expected_cents)::bigint as expected_cents,
    sum(b.recognized_cents)::bigint as recognized_cents,
    sum(b.recognized_at_close_cents)::bigint as recognized_at_close_cents,
    sum(b.recognized_cents - b.expected_cents)::bigint as variance_cents
from both_sides as b
left join curated.bookings_customers_known as c on b.customer_id = c.customer_id and c.month = $month
group by all
