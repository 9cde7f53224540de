-- Stage 1: events and charges that count, one row each, read from the store when somebody asks.
-- Reads `events` and `outcomes` of the months in hand; with a tenant, only its rows.
with versions as (
    select tenant_id, event_id, count(*) filter (not is_duplicate) as versions
    from cloud_events.versions
    where not set_aside
    group by all
)

select
    date_trunc('month', e.usage_date)::date as month,
    e.usage_date,
    f.source,
    e.tenant_id,
    e.event_id,
    e.account_id,
    e.service_name,
    e.region,
    e.pricing_model,
    e.cost,
    e.effective_cost,
    e.currency,
    e.provider,
    e.billing_account_id,
    e.billing_period,
    e.charge_category,
    e.charge_class,
    e.invoice_id,
    e.resource_id,
    e.ingested_at,
    coalesce(v.versions, 1) as versions,
    f.batch_id,
    f.arrival,
    f.file_name,
    e.row_number
from events as e
inner join cloud_events.files as f on e.file_no = f.file_no
left join versions as v on e.tenant_id = v.tenant_id and e.event_id = v.event_id
anti join outcomes as o on e.file_no = o.file_no and e.row_number = o.row_number
where $tenant::varchar is null or e.tenant_id = $tenant
order by f.source, f.batch_id, f.file_name, e.row_number
