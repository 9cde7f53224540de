select
    customer_id,
    deal_id,
    line_no,
    revenue_type,
    cause,
    cause_cents,
    explanation
from recon.bookings_recon_causes
where
    month = $month
    and view = 'current'
    and cause <> 'late_posting'
    and row_key in (
        select row_key
        from recon.bookings_recon_results
        where month = $month and recon = 'recognized_vs_schedule' and status = 'breach'
    )
order by abs(cause_cents) desc, row_key, cause_no
limit 20
