-- Contracts with estimated days, most first.
select
    contract_id,
    count(*) filter (where is_estimated) as days_estimated,
    sum(estimated_kwh) as estimated_kwh,
    sum(kwh) as kwh
from curated.meter_daily
where month = $month
group by contract_id
having count(*) filter (where is_estimated) > 0
order by days_estimated desc, contract_id
