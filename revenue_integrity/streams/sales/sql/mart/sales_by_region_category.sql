-- Sales by region and category as sold, one row per pair of the month.
select
    month,
    region,
    category,
    count(distinct transaction_id) as transactions,
    count(*) as lines,
    sum(quantity)::decimal(18, 6) as quantity,
    sum(gross_cents)::bigint as gross_cents,
    sum(discount_cents)::bigint as discount_cents,
    sum(total_cents)::bigint as total_cents
from curated.sales_lines
where month = $month
group by all
