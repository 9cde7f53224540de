-- Days without costs for which rows were delivered: first those without an explanation, then in order.
with
{% include 'checks/event_parts.sql.j2' %},

{% include 'checks/empty_days.sql.j2' %}

select
    usage_date,
    reason,
    rows_read,
    rows_superseded,
    rows_duplicate,
    rows_deleted,
    rows_quarantined,
    rows_set_aside
from empty_days
order by starts_with(reason, 'emptied'), usage_date
