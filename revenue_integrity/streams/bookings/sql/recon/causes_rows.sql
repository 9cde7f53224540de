-- Rows with a variance from two months before to two after, all postings; of the month itself also the view as of close, for
-- what is late.
select
    month,
    recon,
    view,
    row_key,
    customer_id,
    deal_id,
    line_no,
    revenue_type,
    account,
    right_cents,
    variance_cents,
    status
from recon.bookings_recon_results
where
    recon = 'recognized_vs_schedule'
    and month between $first and $last
    and ((view = 'current' and variance_cents <> 0) or (view = 'as_of_close' and month = $month))
order by month, view, row_key
