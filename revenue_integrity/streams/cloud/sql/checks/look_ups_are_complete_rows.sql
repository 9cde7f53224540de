-- Accounts and services that the look-ups lack, the dearest first.
with
{% include 'checks/unknown_names.sql.j2' %}

select
    look_up,
    missing,
    sum(event_count)::bigint as events,
    sum(total_cost)::decimal(38, 18) as cost
from unknown_names
group by look_up, missing
order by abs(sum(total_cost)) desc, look_up, missing
