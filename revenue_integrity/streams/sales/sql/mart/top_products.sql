-- The five products with the most revenue, of the month and of the year up to it.
with
    sold as {% set which = "month between date_trunc('year', $month::date) and $month" %}{% include 'lines.sql.j2' %},

    lines as (
        select *, unnest(case when month = $month then ['month', 'ytd'] else ['ytd'] end) as period from sold
    ),

    products as (
        select
            period,
            coalesce(product_id, 'UNKNOWN') as product_id,
            any_value(product_id) as known_id,
            arg_max(product_name, place) filter (where product_name is not null) as product_name,
            sum(quantity)::decimal(18, 6) as quantity,
            sum(total_cents)::hugeint as total_cents
        from lines
        group by all
    ),

    ranked as (
        select
            *, row_number() over (partition by period order by total_cents desc, product_id) as rank,
            sum(total_cents) over (partition by period) as whole
        from products
    )

select
    $month::date as month,
    period,
    rank,
    ranked.product_id,
    coalesce(catalogue.product_name, ranked.product_name) as product_name,
    quantity,
    total_cents::bigint as total_cents,
{% set part = 'total_cents' %}{% set base = 'whole' %}{% include 'share.sql.j2' %} as share
from ranked
left join raw.sales_products as catalogue on ranked.known_id = catalogue.product_id and catalogue.row_status = 'surviving'
where rank <= 5
