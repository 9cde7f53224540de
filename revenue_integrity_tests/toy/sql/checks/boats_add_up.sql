-- Cents due for boats and for their rentals.
select
    coalesce(sum(cents), 0) = 0 as passed,
    coalesce(sum(cents), 0)::bigint as difference_cents
from (
    select due_cents as cents from mart.toy_boats where month = $month
    union all
    select -due_cents as cents from curated.toy_rentals where month = $month
)
