-- Rentals that cost more than any should.
select
    count(*) filter (where due_cents > $toy_dearest_cents) = 0 as passed,
    count(*) filter (where due_cents > $toy_dearest_cents) as rentals
from curated.toy_rentals
where month = $month
