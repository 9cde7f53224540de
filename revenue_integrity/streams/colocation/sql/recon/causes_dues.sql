-- Expected charges of the rows with a variance, each with its full month's quantity. Quantities and prices in millionths.
select
    r.row_key,
    e.version,
    e.segment_from,
    e.segment_to,
    (e.quantity::decimal(38, 6) * 1000000)::bigint as micro_quantity,
    (e.unit_price::decimal(38, 6) * 1000000)::bigint as micro_price,
    e.amount_cents,
    case e.charge_type
        when 'rack' then t.racks * 1000000
        when 'power' then (t.reserved_kw::decimal(38, 6) * 1000000)::bigint
    end as micro_full_quantity
from mart.expected_charges as e
inner join recon.recon_results as r
    on
        r.month = $month
        and r.recon = 'erp_vs_mart'
        and r.view = 'current'
        and r.variance_cents <> 0
        and e.customer_id = r.customer_id
        and e.contract_id = r.contract_id
        and e.charge_type = r.charge_type
left join curated.contract_terms as t
    on t.month = $month and e.contract_id = t.contract_id and e.segment_from = t.segment_from
where e.month = $month
order by r.row_key, e.segment_from
