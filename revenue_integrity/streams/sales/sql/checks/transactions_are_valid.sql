-- Rows of transactions that are refused, of the month.
select
    count(*) = 0 as passed,
    count(*) as refused
from meta.quarantine
where stream = 'sales' and source = 'transactions' and month = $month
