-- Customers that matter to the month.
select $month::date as month, customer_id, customer_name, segment
from raw.bookings_customers
where
    row_status = 'surviving'
    and (
        customer_id in (
            select customer_id from raw.bookings_deal_lines
            where row_status = 'surviving' and least(booked_on, start_date) <= $month_end
        )
        or customer_id in (
            select customer_id from raw.bookings_recognition_entries where row_status = 'surviving' and month = $month
        )
    )
