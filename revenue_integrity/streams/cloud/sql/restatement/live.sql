-- What counts of each file now: one row per day of the month, file, tenant and FOCUS scope.
-- The figures are of all its judged rows: they differ from those of the last publication only if the file is read otherwise.
select d.usage_date, d.source, f.batch_id, f.file_name, d.tenant_id, coalesce(d.scope, '') as scope, d.row_count, d.cost
from cloud_events.days as d
inner join cloud_events.files as f on d.file_no = f.file_no
where d.is_live and d.usage_date between $first and $last
