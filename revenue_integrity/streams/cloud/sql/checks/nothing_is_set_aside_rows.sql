-- What is set aside, by batch and day, the dearest first.
with
{% include 'checks/event_parts.sql.j2' %}

select
    batch_id,
    usage_date,
    sum(rows)::bigint as rows,
    sum(cost)::decimal(38, 18) as cost
from parts
where part = 'set_aside'
group by batch_id, usage_date
order by abs(sum(cost)) desc, batch_id, usage_date
