-- Rows of one batch of which one replaced another: baskets without line numbers, receipt numbers used twice.
with
{% include 'checks/replaced.sql.j2' %}

select
    count(*) = 0 as passed,
    count(*) as replaced,
    coalesce(sum(abs(cents)), 0)::bigint as replaced_cents
from replaced
