-- Settlements of all months, fees left out, of the transactions whose rows differ.
select settlement_id, transaction_id, type, amount_cents, settled_on, month
from raw.sales_settlements
where
    row_status = 'surviving'
    and type <> 'fee'
    and (
        transaction_id in (
            select transaction_id from recon.sales_recon_results
            where recon = 'sales_vs_settlements' and month between $first and $last and variance_cents <> 0
        )
        or (transaction_id is null and month between $first and $last)
    )
order by settled_on, settlement_id
