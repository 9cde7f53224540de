select
    count(*) filter (where variance_cents <> 0) = 0 as passed,
    count(*) as rows,
    coalesce(sum(abs(variance_cents)), 0)::bigint as gross_variance_cents
from recon.recon_results
where month = $month and recon = 'power_bill_vs_allocated'
