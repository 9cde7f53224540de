select
    count(*) filter (where not reviewed) = 0 as passed,
    count(*) as entries,
    count(*) filter (where not reviewed) as entries_not_reviewed,
    case when count(*) > 0
        then (count(*) filter (where reviewed) * 1000000 // count(*))::decimal(18, 0) * 0.000001::decimal(7, 6)
    end as reviewed_share
from curated.recognition_lines
where month = $month
