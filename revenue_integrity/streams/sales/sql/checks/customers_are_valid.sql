-- Rows of customers and products that are refused and arrived by the end of the month after this one.
select
    count(*) = 0 as passed,
    count(*) as refused
from meta.quarantine
where
    stream = 'sales' and source in ('customers', 'products') and row_number is not null
    and arrival >= $month and arrival < $month_end + interval 1 day
