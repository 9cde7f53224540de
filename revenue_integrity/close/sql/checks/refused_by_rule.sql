-- Rows of the month, or of none, that a rule of the deployment refused; one row.
select count(*) = 0 as passed, count(*) as rows_that_break_it
from meta.quarantine
where
    stream = $stream
    and source = $source
    and contains(dq_errors, $mark)
    and (month = $month or month is null)
