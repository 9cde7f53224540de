-- Of how many lines anything was told of the customer, with the cents of the others.
select
    count(*) filter (where customer_status = 'unknown') = 0 as passed,
    count(*) as lines,
    count(*) filter (where customer_status = 'unknown') as lines_of_unknown_customers,
    coalesce(sum(total_cents) filter (where customer_status = 'unknown'), 0)::bigint as unknown_cents
from curated.sales_lines
where month = $month
