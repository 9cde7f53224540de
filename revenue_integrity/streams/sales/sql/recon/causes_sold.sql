-- What is known of the transactions whose rows differ: whether they are ours, what is due of them in all months.
with
    asked as (
        select distinct transaction_id
        from recon.sales_recon_results
        where
            recon = 'sales_vs_settlements' and month between $first and $last and variance_cents <> 0
            and transaction_id is not null
    ),

    sold as (
        select
            transaction_id,
            bool_or(payment_method is not null and list_contains($cash_methods, payment_method)) as is_cash,
            sum(
                case when payment_method is null or not list_contains($cash_methods, payment_method)
                    then total_cents + coalesce(tax_cents, 0) else 0 end
            )::bigint as due_cents,
            sum(gross_cents - total_cents)::bigint as discount_cents
        from (
            select
                transaction_id, payment_method, tax_cents,
                sign(exact) * ((abs(exact) + 5000000000) // 10000000000) as gross_cents,
                sign(exact) * ((abs(exact) * ((1 - discount) * 1000000)::hugeint + 5000000000000000) // 10000000000000000)
                    as total_cents
            from (
                select
                    *, (price::decimal(38, 6) * 1000000)::hugeint * (quantity::decimal(38, 6) * 1000000)::hugeint as exact
                from raw.sales_transactions
                where row_status = 'surviving' and not is_deleted
            )
        )
        group by transaction_id
    )

select
    asked.transaction_id,
    sold.transaction_id is not null as is_ours,
    coalesce(sold.is_cash, false) as is_cash,
    coalesce(sold.due_cents, 0) as due_cents,
    coalesce(sold.discount_cents, 0) as discount_cents,
    asked.transaction_id in (
        select transaction_id from meta.held_sales_transactions where not is_duplicate and transaction_id is not null
    ) as is_refused
from asked
left join sold on asked.transaction_id = sold.transaction_id
order by asked.transaction_id
