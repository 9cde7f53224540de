-- Refused rows that can be read and whose line does not stand, each with what it would be worth.
with
{% include 'members.sql.j2' %}

refused as (
    select
        *,
        (price::decimal(38, 6) * 1000000)::hugeint * (quantity::decimal(38, 6) * 1000000)::hugeint as exact,
        ((1 - discount) * 1000000)::hugeint as paid_micro
    from meta.held_sales_transactions
    where
        not is_duplicate and month between $first and $last and price is not null and quantity is not null
        and discount between 0 and 1 and abs(price::decimal(38, 6) * quantity) < 10000000000000
)

select
    refused.month,
    refused.transaction_id,
    coalesce(spelled_region.region, 'UNKNOWN') as region,
    coalesce(spelled_category.category, 'UNKNOWN') as category,
    refused.batch_id || '/' || refused.file_name || ' row ' || refused.row_number as evidence,
    (sign(exact) * ((abs(exact) * paid_micro + 5000000000000000) // 10000000000000000))::bigint as cents
from refused
left join spelled_region on refused.region_member = spelled_region.region_member
left join spelled_category on refused.category_member = spelled_category.category_member
anti join (
    select transaction_id, line_no from raw.sales_transactions where row_status = 'surviving' and not is_deleted
) as standing
    on refused.transaction_id = standing.transaction_id and refused.line_no = standing.line_no
order by refused.month, evidence
