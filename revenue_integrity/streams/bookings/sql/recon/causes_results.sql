-- Results of the month that vary in a view or hold a late entry: what the causes are told of.
with
{% include 'recon/causes_keys.sql.j2' %}

select r.recon, r.view, r.row_key, r.customer_id, r.deal_id, r.line_no, r.revenue_type, r.account, r.status
from recon.bookings_recon_results as r
where r.recon = 'recognized_vs_schedule' and r.month = $month and r.row_key in (select row_key from told where month = $month)
order by r.view, r.row_key
