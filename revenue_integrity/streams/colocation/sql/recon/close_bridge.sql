-- From what was posted by the cutoff to what is recognized in the month; unmapped lines included.
with
    lines as (
        select
            coalesce(sum(amount_cents) filter (where posted_at <= $cutoff), 0) as as_of_close_cents,
            coalesce(sum(amount_cents) filter (where posted_at > $cutoff), 0) as late_cents
        from raw.erp_invoices
        where month = $month and row_status = 'surviving'
    ),

    -- A line of an earlier month that was posted after the cutoff before this one and by this month's is late for its own
    -- month, and this is the first period that was still open.
    recognized_here as (
        select coalesce(sum(amount_cents), 0) as from_earlier_cents
        from raw.erp_invoices
        where month < $month and row_status = 'surviving' and posted_at > $cutoff_before and posted_at <= $cutoff
    )

select
    $month::date as month,
    as_of_close_cents::bigint as as_of_close_cents,
    late_cents::bigint as late_cents,
    (as_of_close_cents + late_cents)::bigint as current_cents,
    from_earlier_cents::bigint as recognized_here_from_earlier_cents,
    (as_of_close_cents + from_earlier_cents)::bigint as recognized_cents
from lines
cross join recognized_here
