-- What events with a single version contribute, one row per account-day and batch: they came with their file and are late, or
-- went with it. Reads `event_rows` of the files that came or went.
select
    r.usage_date,
    r.tenant_id,
    r.account_id,
    case p.state when 'came' then 'late' else 'omission' end as cause,
    r.batch_id,
    sum(case p.state when 'came' then r.cost else -r.cost end)::decimal(38, 18) as delta,
    count(*)::bigint as rows
from event_rows as r
inner join restatement_parts as p
    on r.file_no = p.file_no and r.usage_date = p.usage_date and r.tenant_id = p.tenant_id
anti join (
    select file_no, row_number from cloud_events.versions where file_no in (select file_no from restatement_parts)
) as c on r.file_no = c.file_no and r.row_number = c.row_number
where r.source = 'billing_events' and p.state <> 'reread'
group by all
