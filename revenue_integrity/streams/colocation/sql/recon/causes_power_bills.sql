-- How the power bill of each site stands.
select
    site_id,
    status,
    bill_version,
    is_accrued
from curated.power_bills
where month = $month
order by site_id
