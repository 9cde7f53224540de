-- Rows of reconciliations with causes: this month's that vary or that have a late posting, in both views, and the current
-- variances of the two months around it.
with
    late as (
        select
            'erp_vs_mart' as recon,
            owner_id as customer_id,
            contract_id,
            null::varchar as site_id,
            charge_type
        from curated.invoice_lines
        where month = $month and late
        union
        select
            'erp_vs_allocated_power',
            null,
            null,
            site_id,
            null
        from raw.erp_power_costs
        where month = $month and row_status = 'surviving' and posted_at > $cutoff
    )

select
    r.month,
    r.recon,
    r.view,
    r.row_key,
    r.customer_id,
    r.contract_id,
    r.site_id,
    r.charge_type,
    r.variance_cents,
    r.status
from recon.recon_results as r
left join late as l
    on
        r.recon = l.recon
        and r.customer_id is not distinct from l.customer_id
        and r.contract_id is not distinct from l.contract_id
        and r.site_id is not distinct from l.site_id
        and r.charge_type is not distinct from l.charge_type
where
    r.recon in ('erp_vs_mart', 'erp_vs_allocated_power')
    and r.month between $month::date - interval 2 month and $month::date + interval 2 month
    and (
        (r.month = $month and (r.variance_cents <> 0 or l.recon is not null))
        or (r.recon = 'erp_vs_mart' and r.view = 'current' and r.variance_cents <> 0)
    )
order by r.month, r.recon, r.view, r.row_key
