-- Milestones completed by the end of the month: share in millionths, day as a number since 1970-01-01.
select
    deal_id,
    line_no,
    (completed_on - date '1970-01-01')::bigint as completed_day,
    (share * 1000000)::bigint as micro_share
from raw.bookings_milestones
where row_status = 'surviving' and completed_on <= $month_end
order by deal_id, line_no, milestone_no
