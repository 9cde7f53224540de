-- Entries of periods before the deployment by the close that took them in, with the line that accounting names; what names a
-- deal alone is placed by its type.
with
{% include 'curated/closes.sql.j2' %},

    entries as (
        select * from raw.bookings_recognition_entries where month < $before and row_status = 'surviving'
    ),

{% include 'curated/entry_lines.sql.j2' %},

    placed as (
        select
            r.*,
            d.deal_id as known_deal_id,
            o.line_no as only_line_no,
            coalesce(l.customer_id, d.customer_id, c.customer_id) as known_customer_id
        from referenced as r
        left join deal_customers as l on r.found_deal_id = l.deal_id
        left join deal_customers as d on r.deal_id = d.deal_id
        left join only_line_of_type as o on r.deal_id = o.deal_id and r.revenue_type = o.revenue_type
        left join raw.bookings_customers as c on r.customer_id = c.customer_id and c.row_status = 'surviving'
    )

select
    p.month as service_month,
    case when p.posted_at <= coalesce(own.close_cutoff, p.posted_at) then p.month else coalesce(late.close_month, p.month) end
        as recognized_month,
    p.known_customer_id as customer_id,
    p.found_deal_id as deal_id,
    p.found_line_no as line_no,
    p.revenue_type,
    p.known_deal_id as named_deal_id,
    p.only_line_no,
    sum(p.amount_cents)::bigint as recognized_cents,
    0::bigint as billed_cents
from placed as p
left join closes as own on p.month = own.close_month
asof left join closes as late on p.posted_at <= late.close_cutoff
group by all
