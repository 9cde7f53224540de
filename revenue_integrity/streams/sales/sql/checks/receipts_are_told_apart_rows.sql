-- The rows that were replaced, the largest first.
with
{% include 'checks/replaced.sql.j2' %}

select transaction_id, line_no, batch_id, cents
from replaced
where are_two
order by abs(cents) desc, transaction_id, line_no
limit 20
