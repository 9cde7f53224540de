-- What accounting booked for power in the month, and how each site's bill stands.
select
    p.site_id,
    p.document_id,
    p.line_no,
    p.document_type,
    p.amount_cents,
    p.posted_at,
    p.posted_at > $cutoff as late
from raw.erp_power_costs as p
where p.month = $month and p.row_status = 'surviving'
order by p.site_id, p.posted_at, p.document_id, p.line_no
