-- What a shelf weighs and what it should, one row per shelf.
select
    shelf,
    weight as left_current,
    expected as right_amount
from weights
