-- Rows and cost of the three stages are the same on every day, exactly; one row.
with
{% include 'checks/event_parts.sql.j2' %},

{% include 'checks/stage_days.sql.j2' %}

select
    (select count(*) from differing) = 0 as passed,
    (select count(*) from differing) as days_that_differ,
    count(*) filter (where rows_3 > 0) as days,
    coalesce(sum(rows_1), 0)::bigint as rows_stage_1,
    coalesce(sum(rows_2), 0)::bigint as rows_stage_2,
    coalesce(sum(rows_3), 0)::bigint as rows_stage_3,
    coalesce(sum(cost_1), 0)::decimal(38, 18) as cost_stage_1,
    coalesce(sum(cost_2), 0)::decimal(38, 18) as cost_stage_2,
    coalesce(sum(cost_3), 0)::decimal(38, 18) as cost_stage_3,
    coalesce(sum(effective_2), 0)::decimal(38, 18) as effective_cost
from stages
