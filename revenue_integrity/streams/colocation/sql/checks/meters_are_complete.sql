-- Share of contract-days with an actual reading on every meter; one row.
with days as (
    select
        count(*) as contract_days,
        count(*) filter (where not is_estimated) as days_with_actual_readings
    from curated.meter_daily
    where month = $month
)

select
    days_with_actual_readings >= $meter_completeness_share * contract_days as passed,
    contract_days,
    days_with_actual_readings,
    contract_days - days_with_actual_readings as days_estimated
from days
