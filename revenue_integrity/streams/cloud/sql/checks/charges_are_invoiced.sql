-- No charge of the billing period waits for its invoice; one row. Without invoices at all nothing waits.
select
    coalesce(sum(not_invoiced_rows), 0) = 0 as passed,
    coalesce(sum(not_invoiced_rows), 0)::bigint as not_invoiced_rows,
    coalesce(sum(not_invoiced_value), 0)::decimal(38, 18) as not_invoiced_cost
from recon.cloud_recon_summary
where month = $month
