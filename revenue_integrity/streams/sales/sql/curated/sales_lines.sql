-- Lines of sales that stand, one row per line of the month, with the members that they belong to.
with
{% include 'members.sql.j2' %}

catalogue as (
    select product_id, category_member from raw.sales_products where row_status = 'surviving'
),

known as (
    select distinct customer_id from raw.sales_customers
),

lines as (
    select
        * replace (
            coalesce(product_id, 'P-' || upper(regexp_replace(product_name, '[ _]+', '-', 'g'))) as product_id
        ),
        (price::decimal(38, 6) * 1000000)::hugeint * (quantity::decimal(38, 6) * 1000000)::hugeint as exact_gross,
        ((1 - discount) * 1000000)::hugeint as paid_micro
    from raw.sales_transactions
    where month = $month and row_status = 'surviving' and not is_deleted
),

-- Each amount is computed exactly and rounded once, half away from zero.
amounts as (
    select
        *,
        (sign(exact_gross) * ((abs(exact_gross) + 5000000000) // 10000000000))::bigint as gross_cents,
        (sign(exact_gross) * ((abs(exact_gross) * paid_micro + 5000000000000000) // 10000000000000000))::bigint as total_cents
    from lines
)

select
    amounts.month,
    amounts.transaction_id,
    amounts.line_no,
    amounts.customer_id,
    case
        when amounts.customer_id is null then 'anonymous' when known.customer_id is not null then 'known' else 'unknown'
    end as customer_status,
    amounts.product_id,
    amounts.product_name,
    coalesce(spelled_category.category, 'UNKNOWN') as category,
    coalesce(spelled_region.region, 'UNKNOWN') as region,
    amounts.sold_on,
    amounts.sold_at,
    amounts.quantity,
    amounts.price as unit_price,
    amounts.discount,
    amounts.gross_cents,
    amounts.gross_cents - amounts.total_cents as discount_cents,
    amounts.total_cents,
    coalesce(amounts.tax_cents, 0) as tax_cents,
    amounts.payment_method,
    amounts.date_ambiguous,
    amounts.date_other_order,
    amounts.region_member,
    coalesce(amounts.category_member, catalogue.category_member) as category_member,
    amounts.batch_id,
    amounts.updated_at
from amounts
left join known on amounts.customer_id = known.customer_id
left join catalogue on amounts.product_id = catalogue.product_id
left join spelled_category on coalesce(amounts.category_member, catalogue.category_member) = spelled_category.category_member
left join spelled_region on amounts.region_member = spelled_region.region_member
