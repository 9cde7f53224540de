-- Customers with service in the month.
select
    $month::date as month,
    customer_id,
    customer_name,
    segment,
    country,
    status
from raw.customers
where row_status = 'surviving' and customer_id in (select customer_id from curated.contract_terms where month = $month)
