-- Mapping rows of the ERP codes whose lines of the month resolve to no contract: what is there, and from when until when.
select distinct
    m.erp_customer_code,
    m.erp_contract_ref,
    m.contract_id,
    m.valid_from,
    m.valid_to
from raw.erp_mapping as m
semi join (
    select erp_customer_code, erp_contract_ref
    from curated.invoice_lines
    where month = $month and contract_id is null
) as l on m.erp_customer_code = l.erp_customer_code and m.erp_contract_ref = l.erp_contract_ref
where m.row_status = 'surviving'
order by all
