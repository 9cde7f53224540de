-- Contracts that are billed and contracts of which something is due: 1 for each side, per customer and contract.
with
{% include 'recon/erp_lines.sql.j2' %},

    due as (
        select distinct customer_id, contract_id
        from mart.expected_charges
        where month = $month
    ),

    billed_contracts as (
        select
            customer_id,
            contract_id,
            max(is_billed_by_close) as is_billed_by_close
        from erp_lines
        where contract_id is not null
        group by all
    )

select
    coalesce(b.customer_id, d.customer_id) as customer_id,
    coalesce(b.contract_id, d.contract_id) as contract_id,
    coalesce(b.is_billed_by_close, 0) as left_as_of_close,
    (b.contract_id is not null)::bigint as left_current,
    (d.contract_id is not null)::bigint as right_amount
from billed_contracts as b
full join due as d on b.contract_id = d.contract_id and b.customer_id = d.customer_id
