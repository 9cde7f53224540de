-- What the customers of the last twelve months bought, one row per customer and month; scores compare them with each other.
with
    lines as {% set which = "month between $first and $month" %}{% include 'lines.sql.j2' %},

    customers as (
        select
            customer_id,
            count(distinct transaction_id) filter (where month = $month) as transactions,
            coalesce(sum(total_cents) filter (where month = $month), 0)::bigint as total_cents,
            count(distinct transaction_id) as transactions_12m,
            sum(total_cents)::bigint as total_12m_cents,
            max(sold_on) as last_purchase,
            ($month_end::date - max(sold_on))::bigint as recency_days
        from lines
        where customer_id is not null
        group by customer_id
    )

select
    $month::date as month,
    customer_id,
    transactions,
    total_cents,
    transactions_12m,
    total_12m_cents,
    last_purchase,
    recency_days,
    -- One more than five times the share that is strictly worse, rounded down.
    1 + 5 * (rank() over (order by recency_days desc) - 1) // all_of_them as r_score,
    1 + 5 * (rank() over (order by transactions_12m) - 1) // all_of_them as f_score,
    1 + 5 * (rank() over (order by total_12m_cents) - 1) // all_of_them as m_score
from (select *, count(*) over () as all_of_them from customers)
