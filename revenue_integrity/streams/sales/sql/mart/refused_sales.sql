-- Why rows of transactions were refused, per reason; a row with two reasons counts in both.
select $month as month, reason, count(*) as rows
from (
    select unnest(string_split(dq_errors, '; ')) as reason
    from meta.quarantine
    where stream = 'sales' and source = 'transactions' and month = $month
) as told
group by reason
order by reason
