-- What the shop system says it sold is what stands here, in lines and in cents, where it says anything.
select
    count(*) filter (where status <> 'matched') = 0 as passed,
    count(*) as totals,
    coalesce(sum(variance_value) filter (where unit = 'count'), 0)::bigint as lines_missing,
    coalesce(sum(variance_cents), 0)::bigint as missing_cents
from recon.sales_recon_results
where month = $month and recon = 'loaded_vs_sent'
