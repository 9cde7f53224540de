-- Batches of the month and what became of their rows of the month; those that do not add up first, then those of which most
-- rows do not count.
with
{% include 'checks/event_parts.sql.j2' %},

{% include 'checks/batch_rows.sql.j2' %}

select
    batch_id,
    rows_unaccounted,
    rows_read,
    rows_surviving,
    rows_superseded,
    rows_duplicate,
    rows_deleted,
    rows_quarantined,
    rows_set_aside,
    cost_surviving
from batch_rows
order by rows_unaccounted <> 0 or rows_surviving < 0 desc, rows_read - rows_surviving desc nulls last, batch_id
