-- From what was posted by the cutoff to what is recognized in the month; entries without a line included.
with
    entries as (
        select
            coalesce(sum(amount_cents) filter (where posted_at <= $cutoff), 0) as as_of_close_cents,
            coalesce(sum(amount_cents) filter (where posted_at > $cutoff), 0) as late_cents
        from raw.bookings_recognition_entries
        where month = $month and row_status = 'surviving'
    ),

    -- An entry of an earlier period that was posted after the cutoff before this one and by this month's is late for its own
    -- period, and this is the first that was still open.
    recognized_here as (
        select coalesce(sum(amount_cents), 0) as from_earlier_cents
        from raw.bookings_recognition_entries
        where month < $month and row_status = 'surviving' and posted_at > $cutoff_before and posted_at <= $cutoff
    )

select
    $month::date as month,
    as_of_close_cents::bigint as as_of_close_cents,
    late_cents::bigint as late_cents,
    (as_of_close_cents + late_cents)::bigint as current_cents,
    from_earlier_cents::bigint as recognized_here_from_earlier_cents,
    (as_of_close_cents + from_earlier_cents)::bigint as recognized_cents
from entries
cross join recognized_here
