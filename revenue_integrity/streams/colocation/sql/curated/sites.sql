-- Sites with service or a power bill in the month.
select
    $month::date as month,
    site_id,
    site_name,
    region,
    timezone,
    capacity_kw
from raw.sites
where
    row_status = 'surviving'
    and (
        site_id in (select site_id from curated.contract_terms where month = $month)
        or site_id in (select site_id from raw.power_bills where month = $month and row_status = 'surviving')
    )
