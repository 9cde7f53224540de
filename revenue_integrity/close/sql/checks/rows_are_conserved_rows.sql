-- Batches of the month whose rows do not add up, else those with corrections or duplicates, most first.
select
    batch_id,
    rows_in_file,
    rows_loaded,
    rows_quarantined,
    exact_duplicates,
    corrections
from meta.batches
where
    stream = $stream
    and first_status = 'loaded'
    and batch_id in (select batch_id from meta.batch_months where month = $month)
    and (rows_in_file <> rows_loaded + rows_quarantined + exact_duplicates or corrections + exact_duplicates > 0)
order by abs(rows_in_file - rows_loaded - rows_quarantined - exact_duplicates) desc, corrections + exact_duplicates desc, batch_id
