-- What rests on assumptions in the month, in one row: usage, contracts, and power bills with those that are accruals.
select
    u.estimated_days,
    u.late_days,
    u.suspect_days,
    u.kwh,
    u.estimated_kwh,
    u.late_kwh,
    u.suspect_kwh,
    (select count(*) from mart.contract_month where month = $month) as contracts,
    b.accruals,
    b.accrued_cents,
    b.billed_cents
from mart.usage_month as u
cross join (
    select
        count(*) filter (where is_accrued) as accruals,
        coalesce(sum(abs(total_cents)) filter (where is_accrued), 0)::bigint as accrued_cents,
        coalesce(sum(abs(total_cents)), 0)::bigint as billed_cents
    from curated.power_bills
    where month = $month
) as b
where u.month = $month
