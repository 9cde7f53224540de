-- Deals with entries against deals with an amount due, each counted once.
with
    expected as (
        select customer_id, deal_id
        from mart.deal_line_month
        where month = $month and expected_cents <> 0
        group by all
    ),

    recognized as (
        select customer_id, deal_id, count(*) filter (where not late) as in_time
        from curated.recognition_lines
        where month = $month and deal_id is not null
        group by all
    )

select
    coalesce(r.customer_id, e.customer_id) as customer_id,
    coalesce(r.deal_id, e.deal_id) as deal_id,
    if(r.deal_id is null, 0, 1)::bigint as left_current,
    if(coalesce(r.in_time, 0) > 0, 1, 0)::bigint as left_as_of_close,
    if(e.deal_id is null, 0, 1)::bigint as right_amount
from recognized as r
full join expected as e on r.customer_id = e.customer_id and r.deal_id = e.deal_id
