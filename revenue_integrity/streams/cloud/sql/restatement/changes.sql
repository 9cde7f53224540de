-- Account-days whose published cost changes, one row each. A day that was never published has no restatement.
with present as (
    select usage_date, tenant_id, account_id, total_cost as cost
    from mart.daily_account_cost
    where month = $first and usage_date in (select usage_date from meta.cloud_published_days)
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
