-- Contracts with late or suspect days, most first.
select
    contract_id,
    count(*) filter (where is_late) as late_days,
    count(*) filter (where is_suspect) as suspect_days,
    max(kwh) filter (where is_suspect) as largest_suspect_kwh
from curated.meter_daily
where month = $month
group by contract_id
having count(*) filter (where is_late or is_suspect) > 0
order by late_days desc, suspect_days desc, contract_id
