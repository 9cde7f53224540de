-- The month of an account and service, one row each. Aggregated first, joined with the look-ups afterwards: these may change
-- without a fact changing, and a fact that they lack stays, under `unknown`.
with costs as (
    select
        tenant_id,
        account_id,
        service_name,
        sum(total_cost)::decimal(38, 18) as total_cost,
        sum(effective_cost)::decimal(38, 18) as effective_cost,
        sum(event_count)::bigint as event_count,
        count(*) as days
    from mart.account_service_day
    where month = $month
    group by tenant_id, account_id, service_name
)

select
    $month::date as month,
    c.tenant_id,
    c.account_id,
    c.service_name,
    coalesce(a.account_name, 'unknown') as account_name,
    coalesce(a.billing_owner, 'unknown') as billing_owner,
    coalesce(s.service_category, 'unknown') as service_category,
    c.total_cost,
    c.effective_cost,
    c.event_count,
    c.days
from costs as c
left join raw.accounts as a
    on a.row_status = 'surviving' and c.tenant_id = a.tenant_id and c.account_id = a.account_id
left join raw.services as s
    on s.row_status = 'surviving' and c.service_name = s.service_name
