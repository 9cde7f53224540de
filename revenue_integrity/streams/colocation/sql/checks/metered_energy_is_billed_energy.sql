select
    count(*) filter (where status = 'breach') = 0 as passed,
    count(*) as sites,
    count(*) filter (where status = 'breach') as sites_in_breach,
    coalesce(sum(abs(variance_value)), 0)::bigint as gross_variance_wh
from recon.recon_results
where month = $month and recon = 'metered_vs_billed_kwh'
