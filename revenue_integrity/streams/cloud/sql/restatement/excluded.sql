-- Rows that do not count although their file does: one row per version of an event on a day of the month that is superseded,
-- a duplicate, deleted or set aside.
select usage_date, batch_id, file_name, row_number
from curated.cloud_event_outcomes
where month = $first
union
select usage_date, batch_id, file_name, row_number
from meta.event_claims
where set_aside and usage_date between $first and $last
