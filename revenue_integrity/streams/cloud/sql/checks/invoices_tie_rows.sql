-- Invoices in breach, the largest difference first.
select
    provider,
    invoice_id,
    left_value as charged,
    right_value as invoiced,
    variance_value as difference,
    explanation
from recon.cloud_recon_results
where month = $month and status = 'breach'
order by abs(variance_value) desc, provider, invoice_id
