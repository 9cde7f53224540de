-- What the versions of events contribute to changed account-days: one row per version, or per pair of an old and a new one of
-- the same account.
with added as (
    select * from restatement_versions where counts
),

replaced as (
    select * from restatement_versions where not counts
),

pairs as (
    select
        a.usage_date,
        a.tenant_id,
        a.batch_id,
        a.account_id,
        a.cost,
        r.account_id as old_account_id,
        r.cost as old_cost,
        case
            when r.event_id is not null then 'correction'
            when e.event_id is not null then 'moved'
            else 'late'
        end as cause
    from added as a
    left join replaced as r
        on a.tenant_id = r.tenant_id and a.event_id = r.event_id and a.usage_date = r.usage_date
    left join restatement_elsewhere as e
        on a.tenant_id = e.tenant_id and a.event_id = e.event_id and a.usage_date = e.usage_date
)

select
    usage_date,
    tenant_id,
    account_id,
    cause,
    batch_id,
    (cost - case when account_id = old_account_id then old_cost else 0 end)::decimal(38, 18) as delta,
    1::bigint as rows
from pairs
union all
select usage_date, tenant_id, old_account_id, cause, batch_id, -old_cost, 1
from pairs
where account_id <> old_account_id
union all
select
    r.usage_date,
    r.tenant_id,
    r.account_id,
    case when t.event_id is null then r.cause else 'duplicate_removed' end,
    r.batch_id,
    -r.cost,
    1
from restatement_removed as r
left join restatement_twins as t
    on r.tenant_id = t.tenant_id and r.event_id = t.event_id and r.usage_date = t.usage_date
