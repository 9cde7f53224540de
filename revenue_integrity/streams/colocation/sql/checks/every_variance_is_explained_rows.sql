select
    recon,
    customer_id,
    contract_id,
    site_id,
    charge_type,
    cause,
    cause_cents,
    explanation
from recon.recon_causes
where month = $month and view = 'current' and cause = 'unexplained'
order by abs(cause_cents) desc, row_key
limit 20
