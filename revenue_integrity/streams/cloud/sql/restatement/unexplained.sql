-- Account-days whose causes do not add up to the change of what is published: none, or nothing may be published.
with explained as (
    select usage_date, tenant_id, account_id, sum(delta)::decimal(38, 18) as delta
    from restatement_causes
    group by all
)

select
    usage_date,
    tenant_id,
    account_id,
    coalesce(c.old_cost, 0) as old_cost,
    coalesce(c.new_cost, 0) as new_cost,
    coalesce(e.delta, 0) as delta
from restatement_changes as c
full join explained as e using (usage_date, tenant_id, account_id)
where coalesce(c.new_cost - c.old_cost, 0) <> coalesce(e.delta, 0)
order by usage_date, tenant_id, account_id
