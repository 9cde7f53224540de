-- What remains of the change of account-days on days of which a file is read otherwise than at the last publication (tenants
-- named anew, signs allowed), or is gone with its batch: the old reading cannot be had again, so it is one correction by the
-- latest such file; of an account of which nothing is left on the day, an omission.
with reread as (
    select
        usage_date,
        arg_max(batch_id, (split_part(batch_id, '/', 3), batch_id)) as batch_id,
        coalesce(sum(row_count), 1)::bigint as rows,
        bool_or(state = 'lost') as is_lost
    from restatement_parts
    where state in ('reread', 'lost')
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

select
    m.usage_date,
    m.tenant_id,
    m.account_id,
    case when r.is_lost and c.account_id is null then 'omission' else 'correction' end as cause,
    r.batch_id,
    m.delta,
    r.rows
from remaining as m
inner join reread as r on m.usage_date = r.usage_date
left join restatement_costs as c
    on m.usage_date = c.usage_date and m.tenant_id = c.tenant_id and m.account_id = c.account_id
where m.delta <> 0
