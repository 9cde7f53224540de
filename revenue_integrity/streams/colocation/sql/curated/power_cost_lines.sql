-- What accounting booked for power in the month, as people ask for it: document by document, with what came late.
select
    $month::date as month,
    document_id,
    line_no,
    document_type,
    site_id,
    amount_cents,
    posted_at,
    posted_at > $cutoff as late,
    batch_id
from raw.erp_power_costs
where month = $month and row_status = 'surviving'
