-- The dearest rentals, the dearest first.
select
    rental_id,
    boat_id,
    due_cents
from curated.toy_rentals
where month = $month and due_cents > $toy_dearest_cents
order by due_cents desc, rental_id
