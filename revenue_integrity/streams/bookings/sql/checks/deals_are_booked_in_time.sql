-- What was agreed after months of its service had passed, and is made up for in this month.
select
    count(*) filter (where catch_up_cents <> 0) = 0 as passed,
    count(*) filter (where catch_up_cents <> 0) as lines,
    coalesce(sum(abs(catch_up_cents)), 0)::bigint as catch_up_cents
from mart.recognition_schedule
where month = $month
