-- Parts of files (day, file, tenant, scope) on changing days that came, went or are read otherwise since the last publication;
-- those of a file that the store has no more (its batch was taken back) are lost.
-- All tenants of a file's day and scope count or none: where only some came or went, the file is read otherwise.
with days as (
    select distinct usage_date from restatement_changes
),

present as (
    select * from restatement_live semi join days using (usage_date)
),

published as (
    select * from meta.cloud_published_live semi join days using (usage_date)
),

compared as (
    select
        usage_date,
        source,
        batch_id,
        file_name,
        tenant_id,
        scope,
        coalesce(n.row_count, p.row_count) as row_count,
        (n.row_count is distinct from p.row_count or n.cost is distinct from p.cost) as differs,
        bool_or(n.row_count is not null) over each_file as is_present,
        bool_or(p.row_count is not null) over each_file as was_present
    from present as n
    full join published as p using (usage_date, source, batch_id, file_name, tenant_id, scope)
    window each_file as (partition by usage_date, source, batch_id, file_name, scope)
)

select
    c.usage_date,
    c.source,
    c.batch_id,
    c.file_name,
    c.tenant_id,
    c.scope,
    c.row_count,
    case
        when not c.was_present then 'came'
        when c.is_present then 'reread'
        when f.file_no is null then 'lost'
        else 'went'
    end as state,
    f.file_no,
    f.arrival
from compared as c
left join cloud_events.files as f
    on c.source = f.source and c.batch_id = f.batch_id and c.file_name = f.file_name
where c.differs
