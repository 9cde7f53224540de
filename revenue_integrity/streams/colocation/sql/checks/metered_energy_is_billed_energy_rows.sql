select
    site_id,
    left_value as billed_wh,
    right_value as expected_wh,
    variance_pct
from recon.recon_results
where month = $month and recon = 'metered_vs_billed_kwh' and status = 'breach'
order by abs(variance_value) desc, site_id
limit 20
