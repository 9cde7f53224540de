-- What every customer ever bought, one row per customer.
select
    customer_id,
    min(sold_on) as first_purchase,
    max(sold_on) as last_purchase,
    count(distinct transaction_id) as transactions,
    sum(total_cents)::bigint as total_cents
from {% set which = "customer_id is not null" %}{% include 'lines.sql.j2' %}
group by customer_id
