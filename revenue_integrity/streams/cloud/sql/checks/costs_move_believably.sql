-- No tenant's day is beyond the set factor of its trailing median, or below its reciprocal; one row.
with
{% include 'checks/believable_costs.sql.j2' %}

select
    count(*) filter (where j.is_suspect) = 0 as passed,
    count(*) filter (where j.is_suspect) as suspect_days,
    count(*) as tenant_days,
    coalesce(sum(j.cost), 0)::decimal(38, 18) as cost,
    any_value(l.last_cost) as cost_of_last_day,
    any_value(l.last_cost - l.cost_before)::decimal(38, 18) as cost_delta_to_day_before
from last_days as l
left join judged as j on true
