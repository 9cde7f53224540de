-- What the shop system says it sold and what stands here: their total.
select
    sent.amount_cents as left_current,
    here.cents as right_amount
from (
    select lines, amount_cents
    from raw.sales_control_totals
    where month = $month and row_status = 'surviving'
    order by extracted_at desc
    limit 1
) as sent
cross join (
    select count(*) as lines, coalesce(sum(total_cents), 0)::bigint as cents from curated.sales_lines where month = $month
) as here
