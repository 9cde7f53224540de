-- Share of contract-days with a late reading; one row.
with days as (
    select
        count(*) as contract_days,
        count(*) filter (where is_late) as late_days,
        count(*) filter (where is_suspect) as suspect_days
    from curated.meter_daily
    where month = $month
)

select
    late_days <= $late_readings_warn_share * contract_days as passed,
    contract_days,
    late_days,
    suspect_days
from days
