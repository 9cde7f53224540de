-- Invoices and credit memos from before the deployment by the close that took them in.
with
{% include 'curated/closes.sql.j2' %},

{% include 'curated/deal_customers.sql.j2' %}

select
    b.month as service_month,
    case when b.posted_at <= coalesce(own.close_cutoff, b.posted_at) then b.month else coalesce(late.close_month, b.month) end
        as recognized_month,
    d.customer_id,
    b.deal_id,
    b.line_no,
    null::varchar as revenue_type,
    0::bigint as recognized_cents,
    sum(b.amount_cents)::bigint as billed_cents
from raw.bookings_billings as b
inner join deal_customers as d on b.deal_id = d.deal_id
left join closes as own on b.month = own.close_month
asof left join closes as late on b.posted_at <= late.close_cutoff
where b.month < $before and b.row_status = 'surviving'
group by all
