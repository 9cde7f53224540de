select
    customer_id,
    deal_id,
    line_no,
    revenue_type,
    cause_cents,
    explanation
from recon.bookings_recon_causes
where month = $month and view = 'current' and cause = 'unexplained'
order by abs(cause_cents) desc, row_key
limit 20
