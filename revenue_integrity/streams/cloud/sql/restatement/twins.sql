-- Withdrawn events beside which an identical one still counts (same tenant, account, service, region, pricing model, day and
-- cost): one row each. Reads `event_rows` of the days with withdrawn events.
with withdrawn as (
    select * from restatement_removed where cause = 'deletion'
),

standing as (
    select r.*
    from event_rows as r
    semi join withdrawn as w
        on r.usage_date = w.usage_date and r.tenant_id = w.tenant_id and r.account_id = w.account_id and r.cost = w.cost
    semi join (select * from cloud_events.days where is_live) as l
        on r.usage_date = l.usage_date and r.file_no = l.file_no and r.tenant_id = l.tenant_id
    anti join curated.cloud_event_outcomes as o
        on o.month = $first and r.batch_id = o.batch_id and r.file_name = o.file_name and r.row_number = o.row_number
    anti join (select file_no, row_number from cloud_events.versions where set_aside) as c
        on r.file_no = c.file_no and r.row_number = c.row_number
    where r.source = 'billing_events'
)

select w.tenant_id, w.event_id, w.usage_date
from withdrawn as w
semi join standing as s
    on w.usage_date = s.usage_date and w.tenant_id = s.tenant_id and w.account_id = s.account_id and w.cost = s.cost
    and w.service_name = s.service_name and w.pricing_model = s.pricing_model and w.region is not distinct from s.region
