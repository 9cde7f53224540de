-- Run-rates of the month, and those at the end of the month before (from contract versions) plus the movements, per customer.
with
    in_force_before as (
        select * from raw.contract_versions
        where
            row_status = 'surviving'
            and effective_from < $month
            and coalesce(effective_to, $month) >= $month::date - 1
        qualify row_number() over (partition by contract_id order by version desc) = 1
    ),

    closing_before as (
        select
            customer_id,
            sum(
                (racks::hugeint * (rack_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000) // 20000
                + (
                    (reserved_kw::decimal(38, 6) * 1000000)::hugeint
                    * (kw_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000000000
                ) // 20000000000
            ) as mrr_cents
        from in_force_before
        where status = 'active'
        group by customer_id
    ),

    movements as (
        select
            customer_id,
            new_cents + reactivation_cents + expansion_cents - contraction_cents - churn_cents as moved_cents
        from mart.mrr_movements
        where month = $month
    ),

    run_rates as (
        select
            customer_id,
            sum(mrr_cents) as mrr_cents
        from mart.contract_month
        where month = $month
        group by customer_id
    )

select
    customer_id,
    coalesce(any_value(r.mrr_cents), 0) as left_current,
    coalesce(any_value(c.mrr_cents), 0) + coalesce(any_value(m.moved_cents), 0) as right_amount
from run_rates as r
full join closing_before as c using (customer_id)
full join movements as m using (customer_id)
group by customer_id
