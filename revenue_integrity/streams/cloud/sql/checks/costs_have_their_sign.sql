-- No event has a negative cost unless billing events are declared signed; one row.
with
{% include 'checks/negative_costs.sql.j2' %}

select
    $billing_events_cost_sign = 'signed' or count(*) = 0 as passed,
    count(*) as negative_costs,
    coalesce(sum(cost), 0)::decimal(38, 18) as negative_cost
from negative
