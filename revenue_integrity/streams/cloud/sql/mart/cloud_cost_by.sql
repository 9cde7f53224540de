-- The month's cost by one dimension after the other, one row per tenant, dimension and value. Aggregated first, named by the
-- look-ups afterwards; what they lack stands under UNKNOWN.
with by_region as (
    select
        tenant_id,
        region,
        pricing_model,
        sum(total_cost)::decimal(38, 18) as total_cost,
        sum(effective_cost)::decimal(38, 18) as effective_cost,
        sum(event_count)::bigint as event_count
    from mart.cloud_region_day
    where month = $month
    group by tenant_id, region, pricing_model
),

by_account as (
    select
        tenant_id,
        account_id,
        service_name,
        sum(total_cost)::decimal(38, 18) as total_cost,
        sum(effective_cost)::decimal(38, 18) as effective_cost,
        sum(event_count)::bigint as event_count
    from mart.account_service_day
    where month = $month
    group by tenant_id, account_id, service_name
),

named as (
    select
        c.tenant_id,
        'region' as dimension,
        c.region as value,
        r.region_name as name,
        c.total_cost,
        c.effective_cost,
        c.event_count
    from by_region as c
    left join raw.regions as r on r.row_status = 'surviving' and c.region = r.region
    union all
    select c.tenant_id, 'pricing_model', c.pricing_model, p.description, c.total_cost, c.effective_cost, c.event_count
    from by_region as c
    left join raw.pricing_models as p on p.row_status = 'surviving' and c.pricing_model = p.pricing_model
    union all
    select c.tenant_id, 'billing_owner', a.billing_owner, a.billing_owner, c.total_cost, c.effective_cost, c.event_count
    from by_account as c
    left join raw.accounts as a
        on a.row_status = 'surviving' and c.tenant_id = a.tenant_id and c.account_id = a.account_id
    union all
    select c.tenant_id, 'service_category', s.service_category, s.service_category, c.total_cost, c.effective_cost, c.event_count
    from by_account as c
    left join raw.services as s on s.row_status = 'surviving' and c.service_name = s.service_name
)

select
    $month::date as month,
    tenant_id,
    dimension,
    coalesce(value, 'UNKNOWN') as value,
    coalesce(min(name), 'UNKNOWN') as name,
    sum(total_cost)::decimal(38, 18) as total_cost,
    sum(effective_cost)::decimal(38, 18) as effective_cost,
    sum(event_count)::bigint as event_count
from named
group by tenant_id, dimension, coalesce(value, 'UNKNOWN')
