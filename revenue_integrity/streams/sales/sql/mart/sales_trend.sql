-- Sales of the month beside those of the month before and of a year ago, one row per month.
with
    own as (
        select
            count(distinct transaction_id) as transactions,
            count(distinct customer_id) as customers,
            coalesce(sum(quantity), 0)::decimal(18, 6) as quantity,
            coalesce(sum(total_cents), 0)::bigint as total_cents
        from curated.sales_lines
        where month = $month
    ),

    compared as (
        select
            *,
            {% set which = "month = $month_before" %}{% include 'before.sql.j2' %} as previous_cents,
            {% set which = "month = $year_ago" %}{% include 'before.sql.j2' %} as year_ago_cents
        from own
    )

select
    $month::date as month,
    transactions,
    customers,
    quantity,
    total_cents,
    previous_cents,
    total_cents - previous_cents as change_cents,
{% set part = '(total_cents - previous_cents) * sign(previous_cents)' %}{% set base = 'previous_cents' -%}
{% include 'share.sql.j2' %} as change_pct,
    year_ago_cents,
    total_cents - year_ago_cents as year_change_cents,
{% set part = '(total_cents - year_ago_cents) * sign(year_ago_cents)' %}{% set base = 'year_ago_cents' -%}
{% include 'share.sql.j2' %} as year_change_pct
from compared
