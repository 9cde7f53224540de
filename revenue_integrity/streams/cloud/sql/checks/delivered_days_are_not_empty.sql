-- A day for which rows were delivered has costs, unless good rows of it were withdrawn, moved, overwritten or set aside; one row.
with
{% include 'checks/event_parts.sql.j2' %},

{% include 'checks/empty_days.sql.j2' %}

select
    count(*) filter (where not starts_with(e.reason, 'emptied')) = 0 as passed,
    (select count(*) from delivered_days) as delivered_days,
    count(*) filter (where not starts_with(e.reason, 'emptied')) as days_empty,
    count(*) filter (where starts_with(e.reason, 'emptied')) as days_emptied
from empty_days as e
