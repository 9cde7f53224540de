-- Every data row of the batches that touch the month is loaded, quarantined or an exact duplicate; one row.
with batches as (
    select *
    from meta.batches
    where
        stream = $stream
        and first_status = 'loaded'
        and batch_id in (select batch_id from meta.batch_months where month = $month)
)

select
    count(*) filter (where rows_in_file <> rows_loaded + rows_quarantined + exact_duplicates) = 0 as passed,
    count(*) as batches,
    coalesce(sum(rows_in_file), 0)::bigint as rows_in_file,
    coalesce(sum(rows_loaded), 0)::bigint as rows_loaded,
    coalesce(sum(rows_quarantined), 0)::bigint as rows_quarantined,
    coalesce(sum(exact_duplicates), 0)::bigint as exact_duplicates,
    coalesce(sum(corrections), 0)::bigint as corrections
from batches
