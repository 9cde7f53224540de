-- Of these, rows with a line number, no time of their own and different amounts: two sales under one number.
with
{% include 'checks/replaced.sql.j2' %}

select
    count(*) filter (where are_two) = 0 as passed,
    count(*) filter (where are_two) as receipts,
    coalesce(sum(abs(cents)) filter (where are_two), 0)::bigint as receipts_cents
from replaced
