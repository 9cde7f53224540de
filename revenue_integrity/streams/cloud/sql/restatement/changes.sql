-- Account-days whose published cost changes, one row each. A tenant's day that was never published has no restatement.
with present as (
    select usage_date, tenant_id, account_id, total_cost as cost
    from mart.daily_account_cost
    semi join meta.cloud_published_tenants using (usage_date, tenant_id)
    where month = $first
),

published as (
    select usage_date, tenant_id, account_id, cost
    from meta.cloud_published_costs
    where usage_date between $first and $last
)

select
    usage_date,
    tenant_id,
    account_id,
    coalesce(p.cost, 0)::decimal(38, 18) as old_cost,
    coalesce(n.cost, 0)::decimal(38, 18) as new_cost
from published as p
full join present as n using (usage_date, tenant_id, account_id)
where p.cost is distinct from n.cost
