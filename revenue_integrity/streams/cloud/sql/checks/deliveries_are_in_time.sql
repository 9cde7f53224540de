-- Every tenant's day of the month was available when it was due; one row.
select
    coalesce(bool_and(in_time), true) as passed,
    count(*) as days_due,
    count(*) filter (where in_time) as days_in_time,
    count(*) filter (where not in_time and available_at is not null) as days_late,
    count(*) filter (where available_at is null) as days_missing
from mart.cloud_days
where month = $month
