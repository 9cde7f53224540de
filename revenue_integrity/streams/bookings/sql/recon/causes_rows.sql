-- Rows with a variance from two months before to two after, all postings.
with
{% include 'recon/causes_keys.sql.j2' %}

select month, row_key, customer_id, deal_id, line_no, revenue_type, due_cents, variance_cents
from told
where variance_cents <> 0
order by month, row_key
