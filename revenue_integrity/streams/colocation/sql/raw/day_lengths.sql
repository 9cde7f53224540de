-- One row per site and day that occurs in the rows at hand: the length of the site's local day (23, 24 or 25 hours as a rule).

with site_days as (
    select distinct site_id, reading_date
    from judged_rows
    where site_id is not null and isfinite(reading_date) and reading_date between date '1900-01-01' and date '2999-12-31'
)

select
    site_days.site_id,
    site_days.reading_date,
    cast(
        epoch(timezone(known_sites.timezone, cast(site_days.reading_date + 1 as timestamp)))
        - epoch(timezone(known_sites.timezone, cast(site_days.reading_date as timestamp))) as integer
    ) as seconds
from site_days
inner join meta.lookup_known_sites as known_sites on known_sites.site_id = site_days.site_id
