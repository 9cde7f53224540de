-- Entries of the period by standard and type: counted, summed, reviewed.
select
    $month::date as month,
    coalesce(standard, 'UNKNOWN') as standard,
    revenue_type,
    count(*) as entries,
    sum(amount_cents)::bigint as cents,
    count(reviewed_by) as reviewed,
    count(*) filter (where reviewed_by is not null and reviewed_at > $cutoff) as reviewed_after_cutoff,
    count(*) filter (where obligation_id is null) as without_obligation
from raw.bookings_recognition_entries
where month = $month and row_status = 'surviving'
group by all
