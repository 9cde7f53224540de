-- Every invoice of the month equals the charges that name it, within the tolerance; one row.
select
    count(*) filter (where status = 'breach') = 0 as passed,
    count(*) as invoices,
    count(*) filter (where status = 'breach') as breaches,
    coalesce(sum(variance_value) filter (where status = 'breach'), 0)::decimal(38, 18) as breach_signed,
    coalesce(sum(abs(variance_value)) filter (where status = 'breach'), 0)::decimal(38, 18) as breach_gross,
    coalesce(sum(left_value), 0)::decimal(38, 18) as charged,
    coalesce(sum(right_value), 0)::decimal(38, 18) as invoiced
from recon.cloud_recon_results
where month = $month
