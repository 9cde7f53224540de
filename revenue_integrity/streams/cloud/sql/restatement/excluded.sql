-- Rows that do not count although their file does: one row per version of an event that is superseded, a duplicate, deleted or
-- set aside, on the days of the month on which these rows may be others than were published last.
-- Of a tenant's day that stays as it was they are those of the last publication.
with outcomes as (
    select usage_date, batch_id, file_name, row_number
    from curated.cloud_event_outcomes
    anti join restatement_kept using (tenant_id, usage_date)
    where month = $first and usage_date in (select usage_date from restatement_differing)
)

select * from outcomes
union all
-- Few: looking for them among the outcomes costs much less than making all rows distinct.
select c.usage_date, c.batch_id, c.file_name, c.row_number
from cloud_events.versions as c
anti join outcomes as o
    on c.usage_date = o.usage_date and c.batch_id = o.batch_id and c.file_name = o.file_name and c.row_number = o.row_number
anti join restatement_kept as h on c.tenant_id = h.tenant_id and c.usage_date = h.usage_date
where c.set_aside and c.usage_date in (select usage_date from restatement_differing)
union all
select x.usage_date, x.batch_id, x.file_name, x.row_number
from meta.cloud_published_excluded as x
inner join cloud_events.versions as c
    on x.usage_date = c.usage_date and x.batch_id = c.batch_id and x.file_name = c.file_name and x.row_number = c.row_number
semi join restatement_kept as h on c.tenant_id = h.tenant_id and c.usage_date = h.usage_date
where x.usage_date in (select usage_date from restatement_differing)
