-- How many boxes two people counted, one row per shelf.
select
    shelf,
    left_current,
    left_as_of_close,
    right_amount
from counts
