-- No row of the month lies beyond the look-back of its batch; one row.
with
{% include 'checks/event_parts.sql.j2' %}

select
    count(*) = 0 as passed,
    coalesce(sum(rows), 0)::bigint as rows_set_aside,
    coalesce(sum(cost), 0)::decimal(38, 18) as cost_set_aside,
    count(distinct batch_id) as batches,
    count(distinct usage_date) as days
from parts
where part = 'set_aside'
