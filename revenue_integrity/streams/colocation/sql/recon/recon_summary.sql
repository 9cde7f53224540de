-- Reconciliations in total, per reconciliation and view: rows by status, both sides, variances signed and gross, causes.
with
    totals as (
        select
            recon,
            view,
            unit,
            count(*) as rows,
            count(*) filter (where status = 'matched') as matched,
            count(*) filter (where status = 'within_tolerance') as within_tolerance,
            count(*) filter (where status = 'breach') as breaches,
            sum(coalesce(left_cents, left_value))::bigint as left_total,
            sum(coalesce(right_cents, right_value))::bigint as right_total,
            sum(coalesce(variance_cents, variance_value))::bigint as variance_signed,
            sum(abs(coalesce(variance_cents, variance_value)))::bigint as variance_gross
        from recon.recon_results
        where month = $month
        group by recon, view, unit
    ),

    by_cause as (
        select
            recon,
            view,
            family,
            cause,
            sum(cause_cents)::bigint as cents,
            sum(abs(cause_cents))::bigint as gross_cents
        from recon.recon_causes
        where month = $month
        group by recon, view, family, cause
    ),

    caused as (
        select
            recon,
            view,
            to_json(map(list(cause order by cause), list(cents order by cause)))::varchar as causes,
            to_json(map(list(cause order by cause), list(gross_cents order by cause)))::varchar as causes_gross,
            sum(cents) filter (where family = 'timing') as timing_cents,
            sum(cents) filter (where family is distinct from 'timing') as at_risk_cents,
            sum(gross_cents) filter (where family = 'timing') as timing_gross_cents,
            sum(gross_cents) filter (where family is distinct from 'timing') as at_risk_gross_cents,
            sum(gross_cents)::hugeint as gross_cents,
            sum(gross_cents) filter (where cause in ('price_mismatch', 'quantity_mismatch')) as residual_cents,
            coalesce(sum(gross_cents) filter (where cause = 'unexplained'), 0)::hugeint as unexplained_cents
        from by_cause
        group by recon, view
    )

select
    $month::date as month,
    t.recon,
    t.view,
    t.unit,
    t.rows,
    t.matched,
    t.within_tolerance,
    t.breaches,
    t.left_total,
    t.right_total,
    t.variance_signed,
    t.variance_gross,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power') then coalesce(c.causes, '{}') end as causes,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power') then coalesce(c.causes_gross, '{}') end as causes_gross,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power') then coalesce(c.timing_cents, 0)::bigint end as timing_cents,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power') then coalesce(c.at_risk_cents, 0)::bigint end as at_risk_cents,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power')
        then coalesce(c.timing_gross_cents, 0)::bigint
    end as timing_gross_cents,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power')
        then coalesce(c.at_risk_gross_cents, 0)::bigint
    end as at_risk_gross_cents,
    case when c.gross_cents > 0
        then (
            (((c.gross_cents - c.unexplained_cents) * 2000000 + c.gross_cents) // (c.gross_cents * 2))::decimal(18, 0)
            * 0.000001::decimal(7, 6)
        )::decimal(18, 6)
    end as explained_pct,
    case
        when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power') then coalesce(c.residual_cents, 0)::bigint
    end as residual_cents,
    case when t.recon in ('erp_vs_mart', 'erp_vs_allocated_power')
        then coalesce(c.unexplained_cents, 0)::bigint
    end as unexplained_cents
from totals as t
left join caused as c on t.recon = c.recon and t.view = c.view
