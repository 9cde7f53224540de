-- Quarantined rows of the month against all rows of the month that batches brought; one row.
with counted as (
    select
        (select count(*) from meta.quarantine where stream = $stream and month = $month) as rows_quarantined,
        (
            select coalesce(sum(m.loaded + m.quarantined + m.duplicates), 0)
            from meta.batch_months as m
            inner join meta.batches as b on m.batch_id = b.batch_id
            where b.stream = $stream and m.month = $month
        )::bigint as rows_of_month
)

select
    rows_quarantined <= $share * greatest(rows_of_month, rows_quarantined) as passed,
    rows_quarantined,
    rows_of_month
from counted
