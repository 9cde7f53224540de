-- One row per known customer.

select customer_id
from raw.bookings_customers
where row_status = 'surviving'
