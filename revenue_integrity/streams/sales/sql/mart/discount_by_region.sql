-- Discounts by region, one row per region of the month: over the lines, and over the cents.
with
    regions as (
        select
            month,
            region,
            count(*) as lines,
            sum((discount * 1000000)::hugeint) as discounts_micro,
            sum(discount_cents)::hugeint as discount_cents,
            sum(gross_cents)::hugeint as gross_cents
        from curated.sales_lines
        where month = $month
        group by all
    )

select
    month,
    region,
    lines,
{% set part = 'discounts_micro' %}{% set base = '(lines::hugeint * 1000000)' %}{% include 'share.sql.j2' %} as mean_discount,
{% set part = 'discount_cents' %}{% set base = 'gross_cents' %}{% include 'share.sql.j2' %} as weighted_discount
from regions
