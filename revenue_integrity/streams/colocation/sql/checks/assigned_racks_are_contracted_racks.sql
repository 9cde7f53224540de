-- Contract-days on which the racks assigned are not the racks contracted; one row.
select
    count(*) filter (where assigned_racks <> contracted_racks) = 0 as passed,
    count(*) as contract_days,
    count(*) filter (where assigned_racks < contracted_racks) as days_with_racks_missing,
    count(*) filter (where assigned_racks > contracted_racks) as days_with_racks_in_excess,
    coalesce(sum(greatest(assigned_racks - contracted_racks, 0)), 0)::bigint as rack_days_in_excess
from curated.rack_daily
where month = $month
