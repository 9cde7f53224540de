-- No delivery of the month leaves less than half of what it replaces, or empties a day of it; one row.
with
{% include 'checks/shrunken_scopes.sql.j2' %}

select
    count(*) = 0 as passed,
    count(*) as scopes,
    coalesce(sum(rows_before), 0)::bigint as rows_before,
    coalesce(sum(rows_after), 0)::bigint as rows_after,
    coalesce(sum(cost_before), 0)::decimal(38, 18) as cost_before,
    coalesce(sum(cost_after), 0)::decimal(38, 18) as cost_after,
    coalesce(sum(days_emptied), 0)::bigint as days_emptied
from shrunken_scopes
