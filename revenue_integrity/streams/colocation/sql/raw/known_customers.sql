-- One row per known customer.

select customer_id
from raw.customers
where row_status = 'surviving'
