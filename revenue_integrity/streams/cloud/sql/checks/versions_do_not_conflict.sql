-- No two versions of an event of the month were taken in at the same instant and differ; one row.
with
{% include 'checks/conflicting_versions.sql.j2' %}

select
    count(*) = 0 as passed,
    count(*) as conflicts,
    coalesce(sum(highest_cost - lowest_cost), 0)::decimal(38, 18) as cost_in_question
from conflicts
