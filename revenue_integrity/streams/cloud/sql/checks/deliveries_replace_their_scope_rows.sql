-- Deliveries that leave little of what they replace, those that take away most first.
with
{% include 'checks/shrunken_scopes.sql.j2' %}

select
    batch_id,
    scope,
    rows_before,
    rows_after,
    cost_before,
    cost_after,
    days_emptied
from shrunken_scopes
order by abs(cost_before - cost_after) desc, batch_id, scope
