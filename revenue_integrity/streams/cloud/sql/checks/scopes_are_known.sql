-- No FOCUS row of the month counts of which nobody knows what replaces it; one row.
with
{% include 'checks/unknown_scopes.sql.j2' %}

select
    count(*) = 0 as passed,
    count(distinct batch_id) as batches,
    coalesce(sum(rows), 0)::bigint as rows,
    coalesce(sum(cost), 0)::decimal(38, 18) as cost
from unknown_scopes
