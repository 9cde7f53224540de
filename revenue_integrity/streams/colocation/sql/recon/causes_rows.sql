-- Rows of reconciliations with causes: this month's in both views, and the current variances of the two months around it.
select
    month,
    recon,
    view,
    row_key,
    customer_id,
    contract_id,
    site_id,
    charge_type,
    right_cents,
    variance_cents,
    status
from recon.recon_results
where
    recon in ('erp_vs_mart', 'erp_vs_allocated_power')
    and month between $month::date - interval 2 month and $month::date + interval 2 month
    and (
        (month = $month and variance_cents <> 0)
        or (recon = 'erp_vs_mart' and view = 'current' and variance_cents <> 0)
        or (month = $month and recon = 'erp_vs_allocated_power' and view = 'current')
    )
order by month, recon, view, row_key
