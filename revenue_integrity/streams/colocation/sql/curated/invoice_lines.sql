-- ERP lines of the month with the customer and contract that each resolves to, and the customer to whose rows it counts.
with
    lines as (
        select * from raw.erp_invoices where month = $month and row_status = 'surviving'
    ),

    -- Mapping rows of the month: valid on its first day, or else becoming valid first within it.
    mappings as (
        select
            erp_customer_code,
            erp_contract_ref,
            customer_id,
            contract_id,
            valid_from,
            valid_from <= $month and coalesce(valid_to, $month) >= $month as on_first_day
        from raw.erp_mapping
        where row_status = 'surviving' and valid_from <= $month_end and coalesce(valid_to, $month) >= $month
    ),

    contract_of as (
        select
            erp_customer_code,
            erp_contract_ref,
            contract_id,
            customer_id,
            valid_from,
            on_first_day
        from mappings
        -- Several on the first day: the latest; several later in the month: the first of them.
        qualify row_number() over (
            partition by erp_customer_code, erp_contract_ref
            order by
                on_first_day desc,
                case when on_first_day then valid_from end desc,
                valid_from,
                contract_id
        ) = 1
    ),

    -- The customer of a code, by the same day rule over its references; none if they name several.
    customer_of as (
        select
            erp_customer_code,
            case when count(distinct customer_id) = 1 then any_value(customer_id) end as customer_id
        from (
            select * from contract_of
            qualify
                on_first_day
                or (
                    not bool_or(on_first_day) over (partition by erp_customer_code)
                    and valid_from = min(valid_from) over (partition by erp_customer_code)
                )
        )
        group by erp_customer_code
    ),

    contracts as (
        select
            contract_id,
            any_value(customer_id) as customer_id
        from raw.contract_versions
        where row_status = 'surviving'
        group by contract_id
    ),

    resolved as (
        select
            l.*,
            c.customer_id,
            coalesce(m.contract_id, r.contract_id) as contract_id,
            case
                when m.contract_id is not null then 'mapped'
                when r.contract_id is not null then 'by_reference'
                else 'unmapped'
            end as mapping_status
        from lines as l
        left join contract_of as m on l.erp_customer_code = m.erp_customer_code and l.erp_contract_ref = m.erp_contract_ref
        left join customer_of as c on l.erp_customer_code = c.erp_customer_code
        left join contracts as r on l.erp_contract_ref = r.contract_id and c.customer_id = r.customer_id
    )

select
    $month::date as month,
    l.document_id,
    l.line_no,
    l.document_type,
    l.erp_customer_code,
    l.erp_contract_ref,
    l.customer_id,
    l.contract_id,
    -- A contract knows its customer even where the ERP code names several.
    coalesce(l.customer_id, o.customer_id) as owner_id,
    l.mapping_status,
    l.charge_type,
    l.quantity,
    l.unit_price,
    l.amount_cents,
    l.invoice_date,
    l.posted_at,
    l.corrects_document_id,
    l.posted_at > $cutoff as late,
    l.batch_id
from resolved as l
left join contracts as o on l.contract_id = o.contract_id
