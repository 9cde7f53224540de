-- What accounting booked and what was sold, per cell.
select
    region,
    category,
    sum(current_cents)::bigint as left_current,
    sum(as_of_close_cents)::bigint as left_as_of_close,
    sum(sold_cents)::bigint as right_amount
from (
    select
{% filter indent(8, first=true) %}{% include 'recon/ledger_cell.sql.j2' %}{% endfilter %},
        amount_cents as current_cents, case when late then 0 else amount_cents end as as_of_close_cents, 0 as sold_cents
    from curated.sales_ledger_lines
    where month = $month
    union all
    select
{% filter indent(8, first=true) %}{% include 'recon/ledger_cell.sql.j2' %}{% endfilter %},
        0, 0, total_cents
    from curated.sales_lines
    where month = $month
)
group by region, category
