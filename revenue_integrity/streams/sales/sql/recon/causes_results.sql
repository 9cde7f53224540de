-- Rows of the month whose sides differ, and all of the ledger's, in every view: what causes are told of.
select recon, view, row_key, region, category, transaction_id, status
from recon.sales_recon_results
where month = $month and unit = 'cents' and (variance_cents <> 0 or recon = 'sales_vs_ledger')
order by recon, view, row_key
