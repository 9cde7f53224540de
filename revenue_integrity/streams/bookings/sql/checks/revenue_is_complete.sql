-- Revenue by segment and type holds every entry of the period and every amount due.
with
    shown as (
        select
            coalesce(sum(recognized_cents), 0) as recognized_cents,
            coalesce(sum(expected_cents), 0) as expected_cents
        from mart.revenue_month
        where month = $month
    ),

    booked as (
        select coalesce(sum(amount_cents), 0) as cents
        from raw.bookings_recognition_entries
        where month = $month and row_status = 'surviving'
    ),

    due as (
        select coalesce(sum(expected_cents), 0) as cents
        from mart.recognition_schedule
        where month = $month
    )

select
    s.recognized_cents = b.cents and s.expected_cents = d.cents as passed,
    s.recognized_cents::bigint as recognized_cents,
    b.cents::bigint as entries_cents,
    s.expected_cents::bigint as expected_cents,
    d.cents::bigint as due_cents
from shown as s
cross join booked as b
cross join due as d
