select
    entry_id,
    customer_id,
    revenue_type,
    amount_cents
from curated.recognition_lines
where month = $month and deal_id is null
order by abs(amount_cents) desc, entry_id
limit 20
