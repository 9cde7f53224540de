-- What was paid and what was due, one row per shelf and owner.
select
    shelf,
    owner,
    paid as left_current,
    due as right_amount
from payments
