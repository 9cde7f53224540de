-- Events that count anew on a changing day and counted on another day when that was published, or left it and have not
-- arrived anywhere yet: one row per event and day on which it counts anew.
with added as (
    select distinct tenant_id, event_id, usage_date from restatement_versions where counts
),

published as (
    select distinct a.tenant_id, a.event_id, a.usage_date
    from added as a
    inner join cloud_events.versions as c
        on a.tenant_id = c.tenant_id and a.event_id = c.event_id and a.usage_date <> c.usage_date
        -- Only of events on several days is there another day; looking for it among all would read every version that ever came.
        and c.is_moved and not coalesce(c.is_deleted, false)
    semi join meta.cloud_published_live as p
        on c.usage_date = p.usage_date and p.source = 'billing_events' and c.batch_id = p.batch_id
        and c.file_name = p.file_name and c.tenant_id = p.tenant_id
    anti join meta.cloud_published_excluded as x
        on c.usage_date = x.usage_date and c.batch_id = x.batch_id and c.file_name = x.file_name
        and c.row_number = x.row_number
),

departed as (
    select a.tenant_id, a.event_id, a.usage_date
    from added as a
    semi join meta.cloud_departures as d on a.tenant_id = d.tenant_id and a.event_id = d.event_id
)

select * from published
union
select * from departed
