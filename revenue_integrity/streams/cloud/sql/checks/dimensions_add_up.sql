-- Each dimension adds up to the month; one row.
with
{% include 'checks/dimension_totals.sql.j2' %}

select
    count(*) = 0 as passed,
    count(*) as differing,
    coalesce(sum(abs(cost_of_month - coalesce(cost, 0))), 0)::decimal(38, 18) as difference
from differing
