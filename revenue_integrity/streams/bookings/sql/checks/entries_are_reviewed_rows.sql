select
    entry_id,
    deal_id,
    line_no,
    revenue_type,
    amount_cents
from curated.recognition_lines
where month = $month and not reviewed
order by abs(amount_cents) desc, entry_id
limit 20
