-- No tenant's day of the month is held back; one row.
with
{% include 'checks/event_parts.sql.j2' %}

select
    count(*) = 0 as passed,
    count(*) as days_held_back,
    coalesce(sum(b.rows), 0)::bigint as rows_held_back,
    coalesce(sum(b.cost), 0)::decimal(38, 18) as cost_held_back
from held_days as d
left join held_back as b on d.tenant_id = b.tenant_id and d.usage_date = b.usage_date
