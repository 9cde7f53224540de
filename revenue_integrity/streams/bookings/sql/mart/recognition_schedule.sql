-- What must be recognized: deal lines between their first and their last month with an amount.
select
    month,
    deal_id,
    line_no,
    customer_id,
    revenue_type,
    revenue_class,
    version,
    policy,
    amount_cents,
    allocated_shift_cents,
    expected_cents,
    catch_up_cents,
    expected_to_date_cents,
    remaining_cents
from mart.deal_line_month
where month = $month and first_month <= $month and last_month >= $month
