-- What the processor paid in the month and what was sold in it with tax, per transaction; cash is paid by nobody.
select
    transaction_id,
    sum(settled_cents)::bigint as left_current,
    sum(due_cents)::bigint as right_amount
from (
    select transaction_id, amount_cents as settled_cents, 0 as due_cents, true as is_settled
    from raw.sales_settlements
    where month = $month and row_status = 'surviving' and type <> 'fee'
    union all
    select transaction_id, 0, total_cents + tax_cents, false
    from curated.sales_lines
    where month = $month and (payment_method is null or not list_contains($cash_methods, payment_method))
)
group by transaction_id
having bool_or(is_settled) or sum(due_cents) <> 0
