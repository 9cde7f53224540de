-- Transactions of high value, one row each, as their first line of the month has them.
select
    month,
    transaction_id,
    any_value(case when line_no = first_line then customer_id end) as customer_id,
    arg_min(sold_on, line_no) as sold_on,
    arg_min(region, line_no) as region,
    sum(total_cents)::bigint as total_cents
from (
    select *, min(line_no) over (partition by transaction_id) as first_line from curated.sales_lines where month = $month
)
group by all
having sum(total_cents) > $high_value_cents
