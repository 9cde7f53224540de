-- The rows of the month, or of none, that a rule of the deployment refused.
select batch_id, file_name, row_number, dq_errors
from meta.quarantine
where
    stream = $stream
    and source = $source
    and contains(dq_errors, $mark)
    and (month = $month or month is null)
order by batch_id, file_name, row_number
limit 20
