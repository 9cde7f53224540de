-- Per customer: opening plus movements is closing, and closing is the MRR of the customer's contracts; one row.
with contracts as (
    select
        customer_id,
        sum(mrr_cents)::bigint as mrr_cents
    from mart.contract_month
    where month = $month
    group by customer_id
),

compared as (
    select
        coalesce(b.opening_cents, 0) as opening_cents,
        coalesce(b.closing_cents, 0) as closing_cents,
        coalesce(
            b.opening_cents + b.new_cents + b.reactivation_cents + b.expansion_cents - b.contraction_cents - b.churn_cents, 0
        ) as bridged_cents,
        coalesce(c.mrr_cents, 0) as contract_mrr_cents
    from (select * from mart.mrr_movements where month = $month) as b
    full join contracts as c on b.customer_id = c.customer_id
)

select
    count(*) filter (where closing_cents <> bridged_cents or closing_cents <> contract_mrr_cents) = 0 as passed,
    count(*) as customers,
    coalesce(sum(opening_cents), 0)::bigint as opening_cents,
    coalesce(sum(closing_cents), 0)::bigint as closing_cents,
    coalesce(sum(contract_mrr_cents), 0)::bigint as contract_mrr_cents
from compared
