-- What stands of the lines that have a variance, in the month that has it.
with
{% include 'recon/causes_keys.sql.j2' %}

select
    m.month,
    m.deal_id,
    m.line_no,
    m.revenue_type,
    m.status,
    m.catch_up_cents,
    m.expected_cents,
    m.expected_to_date_cents,
    m.remaining_cents,
    m.last_month
from mart.deal_line_month as m
inner join varying_lines as v on m.month = v.month and m.deal_id = v.deal_id and m.line_no = v.line_no
order by m.month, m.deal_id, m.line_no
