-- Rows of the month and those around it whose sides differ, all postings, with what their lines come to.
with
    differing as (
        select recon, month, row_key, region, category, transaction_id, left_cents, right_cents, variance_cents
        from recon.sales_recon_results
        where month between $first and $last and view = 'current' and unit = 'cents' and variance_cents <> 0
    ),

    cells as (
        select
            month,
{% filter indent(12, first=true) %}{% include 'recon/ledger_cell.sql.j2' %}{% endfilter %},
            count(*) as lines,
            sum(discount_cents)::bigint as discount_cents,
            sum(tax_cents)::bigint as tax_cents,
            sum(
                (quantity::decimal(38, 6) * 1000000)::hugeint * (unit_price::decimal(38, 6) * 1000000)::hugeint
                * ((1 - discount) * 1000000)::hugeint
            ) as exact
        from curated.sales_lines
        where month between $first and $last
        group by all
    )

select
    differing.*,
    coalesce(cells.lines, 0) as lines,
    coalesce(cells.discount_cents, 0) as discount_cents,
    coalesce(cells.tax_cents, 0) as tax_cents,
    (sign(cells.exact) * ((abs(cells.exact) + 5000000000000000) // 10000000000000000))::bigint as exact_cents
from differing
left join cells
    on
        differing.recon = 'sales_vs_ledger'
        and differing.month = cells.month
        and differing.region is not distinct from cells.region
        and differing.category is not distinct from cells.category
order by differing.recon, differing.month, differing.row_key
