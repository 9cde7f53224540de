-- Rentals of the month that count, one row per rental.
select
    $month::date as month,
    rental_id,
    boat_id,
    due_cents,
    coalesce(booked_cents, 0) as booked_cents,
    booked_cents is not null as is_booked,
    coalesce(booked_at > $cutoff, false) as late
from raw.toy_rentals
where month = $month and row_status = 'surviving'
