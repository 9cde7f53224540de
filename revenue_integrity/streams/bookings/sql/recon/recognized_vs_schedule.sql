-- What accounting recognized against what must be, per deal line and revenue type; entries without a line stand by customer.
with
{% include 'recon/recognized_rows.sql.j2' %}

select
    customer_id,
    deal_id,
    line_no,
    revenue_type,
    current_cents as left_current,
    as_of_close_cents as left_as_of_close,
    due_cents as right_amount
from recognized_rows
