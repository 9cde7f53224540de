-- Versions of events on changing days that count now and did not, or did and do not: one row each.
-- Whatever stands only once and stood only once came or went with its file (`event_causes`).
with days as (
    select distinct usage_date from restatement_changes
),

-- Of the days alone: the joins below would otherwise look at a month of them.
outcomes as (
    select batch_id, file_name, row_number
    from curated.cloud_event_outcomes
    where month = $first and usage_date in (select usage_date from days)
),

excluded as (
    select * from meta.cloud_published_excluded where usage_date in (select usage_date from days)
),

judged as (
    select
        c.*,
        l.row_count is not null and not c.set_aside and not coalesce(c.is_deleted, false) and o.row_number is null as counts,
        p.row_count is not null and not coalesce(c.is_deleted, false) and x.row_number is null as counted
    from cloud_events.versions as c
    semi join days as d on c.usage_date = d.usage_date
    -- Of a day that stays as it was nothing changes, whatever came for it.
    anti join restatement_kept as h on c.tenant_id = h.tenant_id and c.usage_date = h.usage_date
    left join restatement_live as l
        on c.usage_date = l.usage_date and l.source = 'billing_events' and c.batch_id = l.batch_id
        and c.file_name = l.file_name and c.tenant_id = l.tenant_id
    left join outcomes as o on c.batch_id = o.batch_id and c.file_name = o.file_name and c.row_number = o.row_number
    left join meta.cloud_published_live as p
        on c.usage_date = p.usage_date and p.source = 'billing_events' and c.batch_id = p.batch_id
        and c.file_name = p.file_name and c.tenant_id = p.tenant_id
    left join excluded as x
        on c.usage_date = x.usage_date and c.batch_id = x.batch_id and c.file_name = x.file_name
        and c.row_number = x.row_number
)

select * from judged where counts <> counted
