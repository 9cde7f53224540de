-- Lines of the ledger for the month, with the members that they are booked on; late are those posted after the month's cutoff.
with
{% include 'members.sql.j2' %}

lines as (
    select * from raw.sales_ledger where month = $month and row_status = 'surviving'
)

select
    lines.document_id,
    lines.line_no,
    lines.document_type,
    lines.month,
    coalesce(spelled_region.region, 'UNKNOWN') as region,
    coalesce(spelled_category.category, 'UNKNOWN') as category,
    lines.amount_cents,
    lines.posted_at,
    lines.reverses_document_id,
    lines.posted_at > $cutoff as late
from lines
left join spelled_region on lines.region_member = spelled_region.region_member
left join spelled_category on lines.category_member = spelled_category.category_member
