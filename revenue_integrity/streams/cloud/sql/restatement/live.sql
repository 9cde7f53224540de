-- What is shown of each file now: one row per day of the month, file, tenant and FOCUS scope. Of a tenant's day that is held back
-- that is what was published last, where it stays.
-- The figures are of all its judged rows: they differ from those of the last publication only if the file is read otherwise.
select d.usage_date, d.source, f.batch_id, f.file_name, d.tenant_id, coalesce(d.scope, '') as scope, d.row_count, d.cost
from cloud_events.days as d
inner join cloud_events.files as f on d.file_no = f.file_no
anti join meta.cloud_held_days as h on d.tenant_id = h.tenant_id and d.usage_date = h.usage_date
where d.is_live and d.usage_date between $first and $last
union all
select
    p.usage_date,
    p.source,
    p.batch_id,
    p.file_name,
    p.tenant_id,
    p.scope,
    p.row_count,
    p.cost
from meta.cloud_published_live as p
semi join restatement_kept as h on p.tenant_id = h.tenant_id and p.usage_date = h.usage_date
where p.usage_date between $first and $last
