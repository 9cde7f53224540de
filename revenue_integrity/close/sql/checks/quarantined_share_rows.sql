-- Quarantined rows of the month by source and reason, most frequent first.
select
    source,
    regexp_replace(dq_errors, '''[^'']*''|[0-9][0-9.,-]*', '…', 'g') as reason,
    count(*) as rows_quarantined,
    min(batch_id) as first_batch,
    min(dq_errors) as example
from meta.quarantine
where stream = $stream and month = $month
group by source, reason
order by rows_quarantined desc, source, reason
