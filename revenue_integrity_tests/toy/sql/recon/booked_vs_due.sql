-- What the books hold and what was due, one row per boat; as of the close, what was booked after it does not count.
select
    b.boat_id,
    b.booked_cents as left_current,
    coalesce(r.booked_cents, 0)::bigint as left_as_of_close,
    b.due_cents as right_amount
from mart.toy_boats as b
left join (
    select
        boat_id,
        sum(booked_cents) as booked_cents
    from curated.toy_rentals
    where month = $month and not late
    group by boat_id
) as r on b.boat_id = r.boat_id
where b.month = $month
