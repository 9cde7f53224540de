-- Invoice and credit memo lines of the month with their deal's customer.
with
{% include 'curated/closes.sql.j2' %},

{% include 'curated/deal_customers.sql.j2' %}

select
    $month::date as month,
    b.document_id,
    b.document_line,
    b.document_type,
    d.customer_id,
    b.deal_id,
    b.line_no,
    b.amount_cents,
    b.invoice_date,
    b.posted_at,
    b.posted_at > $cutoff as late,
    case when b.posted_at <= $cutoff then $month::date else coalesce(closes.close_month, list_max($close_months::date[])) end
        as recognized_month,
    b.batch_id
from raw.bookings_billings as b
inner join deal_customers as d on b.deal_id = d.deal_id
asof left join closes on b.posted_at <= closes.close_cutoff
where b.month = $month and b.row_status = 'surviving'
