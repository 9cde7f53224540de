-- Customers of whom nothing was told, the largest first.
select customer_id, count(*) as lines, sum(total_cents)::bigint as total_cents
from curated.sales_lines
where month = $month and customer_status = 'unknown'
group by customer_id
order by abs(sum(total_cents)) desc, customer_id
limit 20
