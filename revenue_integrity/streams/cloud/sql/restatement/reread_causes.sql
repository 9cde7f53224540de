-- What remains of the change of account-days on days of which a file is read otherwise than at the last publication (tenants
-- named anew, signs allowed): the old reading cannot be had again, so it is one correction by the latest such file.
with reread as (
    select usage_date, arg_max(batch_id, (arrival, batch_id)) as batch_id, coalesce(sum(row_count), 1)::bigint as rows
    from restatement_parts
    where state = 'reread'
    group by usage_date
),

explained as (
    select usage_date, tenant_id, account_id, sum(delta)::decimal(38, 18) as delta
    from restatement_causes
    group by all
),

remaining as (
    select
        usage_date,
        tenant_id,
        account_id,
        (coalesce(c.new_cost - c.old_cost, 0) - coalesce(e.delta, 0))::decimal(38, 18) as delta
    from restatement_changes as c
    full join explained as e using (usage_date, tenant_id, account_id)
)

select m.usage_date, m.tenant_id, m.account_id, 'correction' as cause, r.batch_id, m.delta, r.rows
from remaining as m
inner join reread as r on m.usage_date = r.usage_date
where m.delta <> 0
