-- ERP lines of the rows with a variance of this month and its neighbours, and this month's late lines, each with its row.
-- Quantities and prices are in millionths.
with
    rows as (
        select
            month,
            row_key,
            customer_id,
            contract_id,
            charge_type,
            variance_cents
        from recon.recon_results
        where
            recon = 'erp_vs_mart'
            and view = 'current'
            and month between $month::date - interval 1 month and $month::date + interval 1 month
    ),

    lines as (
        select *
        from curated.invoice_lines
        where month between $month::date - interval 1 month and $month::date + interval 1 month
    ),

    -- What a credit names: whether that document bills the credit's own contract, in whichever month; by the reference of
    -- the credit, by what resolved it near this month, or by the mapping of its own month.
    named_documents as (
        select
            c.document_id,
            c.line_no,
            c.contract_id,
            c.erp_customer_code,
            c.erp_contract_ref,
            r.document_id as named_id,
            r.erp_customer_code as named_code,
            r.erp_contract_ref as named_ref,
            r.month as named_month
        from lines as c
        inner join raw.erp_invoices as r on c.corrects_document_id = r.document_id
        where (c.document_type = 'credit_memo' or c.amount_cents < 0) and r.row_status = 'surviving'
    ),

    named as (
        select
            document_id,
            line_no
        from named_documents
        where
            (erp_customer_code = named_code and erp_contract_ref is not distinct from named_ref)
            or named_ref = contract_id
        union
        select
            d.document_id,
            d.line_no
        from named_documents as d
        inner join lines as s on d.named_id = s.document_id and d.contract_id = s.contract_id
        union
        select
            d.document_id,
            d.line_no
        from named_documents as d
        inner join raw.erp_mapping as m
            on d.named_code = m.erp_customer_code and d.named_ref = m.erp_contract_ref and d.contract_id = m.contract_id
        where
            m.row_status = 'surviving'
            and m.valid_from <= last_day(d.named_month)
            and coalesce(m.valid_to, d.named_month) >= d.named_month
    )

select
    l.month,
    r.row_key,
    l.document_id,
    l.line_no,
    l.document_type = 'credit_memo' or l.amount_cents < 0 as is_credit,
    l.erp_customer_code,
    l.erp_contract_ref,
    (l.quantity::decimal(38, 6) * 1000000)::bigint as micro_quantity,
    (l.unit_price::decimal(38, 6) * 1000000)::bigint as micro_price,
    l.amount_cents,
    l.posted_at,
    l.corrects_document_id,
    n.document_id is not null as names_own_document,
    l.late
from lines as l
inner join rows as r
    on
        l.month = r.month
        and l.charge_type = r.charge_type
        and l.owner_id is not distinct from r.customer_id
        and l.contract_id is not distinct from r.contract_id
left join named as n on l.document_id = n.document_id and l.line_no = n.line_no
where r.variance_cents <> 0 or (l.month = $month and l.late)
order by l.month, l.posted_at, l.amount_cents, l.document_id, l.line_no
