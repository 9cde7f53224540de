-- Versions of deal lines as schedules are made from them, in order.
with
{% include 'mart/deal_versions.sql.j2' %}

select *
from deal_versions
order by deal_id, line_no, version
