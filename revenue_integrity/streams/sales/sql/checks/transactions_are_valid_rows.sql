-- Why rows of transactions are refused, the most frequent reason first.
select reason, count(*) as refused
from (
    select unnest(string_split(dq_errors, '; ')) as reason
    from meta.quarantine
    where stream = 'sales' and source = 'transactions' and month = $month
)
group by reason
order by refused desc, reason
limit 20
