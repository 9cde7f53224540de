-- Entries and billings of the month by the close that takes them in.
select
    recognized_month,
    customer_id,
    deal_id,
    line_no,
    revenue_type,
    sum(amount_cents)::bigint as recognized_cents,
    0::bigint as billed_cents
from curated.recognition_lines
where month = $month
group by all
union all
select
    recognized_month,
    customer_id,
    deal_id,
    line_no,
    null as revenue_type,
    0::bigint as recognized_cents,
    sum(amount_cents)::bigint as billed_cents
from curated.billing_lines
where month = $month
group by all
