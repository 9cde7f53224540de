-- What the ERP billed and what is due, one row per customer, contract (none: lines that resolve to none) and charge type.
with
{% include 'recon/erp_lines.sql.j2' %},

    due as (
        select
            customer_id,
            contract_id,
            charge_type,
            sum(amount_cents) as due_cents
        from mart.expected_charges
        where month = $month
        group by all
    )

select
    coalesce(l.customer_id, d.customer_id) as customer_id,
    coalesce(l.contract_id, d.contract_id) as contract_id,
    coalesce(l.charge_type, d.charge_type) as charge_type,
    coalesce(l.as_of_close_cents, 0) as left_as_of_close,
    coalesce(l.current_cents, 0) as left_current,
    coalesce(d.due_cents, 0) as right_amount
from erp_lines as l
full join due as d on l.contract_id = d.contract_id and l.charge_type = d.charge_type and l.customer_id = d.customer_id
