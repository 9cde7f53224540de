-- Contracts whose assigned racks differ from the contracted ones, largest difference first.
select
    contract_id,
    sum(contracted_racks)::bigint as contracted_rack_days,
    sum(assigned_racks)::bigint as assigned_rack_days,
    min(date) filter (where assigned_racks <> contracted_racks) as first_day,
    max(date) filter (where assigned_racks <> contracted_racks) as last_day
from curated.rack_daily
where month = $month
group by contract_id
having count(*) filter (where assigned_racks <> contracted_racks) > 0
order by sum(abs(assigned_racks - contracted_racks)) desc, contract_id
