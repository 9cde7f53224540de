-- Rows of customers and products that are refused, each with its reasons.
select source, batch_id, file_name, row_number, dq_errors
from meta.quarantine
where
    stream = 'sales' and source in ('customers', 'products') and row_number is not null
    and arrival >= $month and arrival < $month_end + interval 1 day
order by batch_id, file_name, row_number
limit 20
