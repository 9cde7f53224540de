-- What was charged against what was invoiced, in total; and what names no invoice yet.
with
    delivered as (
        select distinct source from meta.batches where stream = 'cloud' and status not in ('rejected', 'withdrawn')
    ),

{% include 'recon/cloud_charges.sql.j2' %},

    waiting as (
        select
            coalesce(sum(cost), 0)::decimal(38, 18) as cost,
            coalesce(sum(row_count), 0)::bigint as row_count
        from charges
        where invoice_id is null and provider not in (select provider from compared_in_total)
    ),

    totals as (
        select
            count(*) as rows,
            count(*) filter (where status = 'matched') as matched,
            count(*) filter (where status = 'within_tolerance') as within_tolerance,
            count(*) filter (where status = 'breach') as breaches,
            coalesce(sum(left_value), 0)::decimal(38, 18) as left_total,
            coalesce(sum(right_value), 0)::decimal(38, 18) as right_total,
            coalesce(sum(variance_value), 0)::decimal(38, 18) as variance_signed,
            coalesce(sum(abs(variance_value)), 0)::decimal(38, 18) as variance_gross
        from recon.cloud_recon_results
        where month = $month
    )

-- Where there is neither a row nor a charge that waits, there is nothing to sum up.
select
    $month::date as month,
    'cloud_invoices' as recon,
    'current' as view,
    lower($currency) as unit,
    t.rows,
    t.matched,
    t.within_tolerance,
    t.breaches,
    t.left_total,
    t.right_total,
    t.variance_signed,
    t.variance_gross,
    w.cost as not_invoiced_value,
    w.row_count as not_invoiced_rows
from totals as t
cross join waiting as w
where 'cloud_invoices' in (select source from delivered) and (t.rows > 0 or w.row_count > 0)
