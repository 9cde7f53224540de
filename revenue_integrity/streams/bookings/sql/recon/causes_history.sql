-- Entries by period of the lines that have a variance, of all periods before the last that is looked at.
with
{% include 'recon/causes_keys.sql.j2' %}

select f.deal_id, f.line_no, f.revenue_type, f.service_month, sum(f.recognized_cents)::bigint as recognized_cents
from mart.bookings_flows as f
where
    f.revenue_type is not null
    and f.service_month < $last
    and (f.deal_id, f.line_no) in (select (deal_id, line_no) from varying_lines)
group by all
order by all
