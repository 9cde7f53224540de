-- How much of the month's usage is estimated, late or suspect; one row per month.
select
    $month::date as month,
    count(*) as contract_days,
    coalesce(sum(kwh), 0)::decimal(38, 6) as kwh,
    count(*) filter (where is_estimated) as estimated_days,
    coalesce(sum(estimated_kwh), 0)::decimal(38, 6) as estimated_kwh,
    count(*) filter (where is_late) as late_days,
    coalesce(sum(kwh) filter (where is_late), 0)::decimal(38, 6) as late_kwh,
    count(*) filter (where is_suspect) as suspect_days,
    coalesce(sum(kwh) filter (where is_suspect), 0)::decimal(38, 6) as suspect_kwh
from curated.meter_daily
where month = $month
