-- The ledger's rows of this publication: the changes of an account-day one after the other, by arrival and cause.
with batches as (
    select batch_id, min(arrival) as arrival from cloud_events.files group by batch_id
),

causes as (
    select
        usage_date,
        tenant_id,
        account_id,
        cause,
        batch_id,
        sum(delta)::decimal(38, 18) as delta,
        sum(rows)::bigint as rows
    from restatement_causes
    group by all
    having sum(delta) <> 0
),

steps as (
    select
        c.*,
        d.old_cost as published_cost,
        p.publication + 1 as publication,
        row_number() over each_account_day as step,
        sum(c.delta) over each_account_day as changed_so_far
    from causes as c
    inner join restatement_changes as d using (usage_date, tenant_id, account_id)
    inner join meta.cloud_published_days as p using (usage_date)
    left join batches as b using (batch_id)
    window each_account_day as (
        partition by usage_date, tenant_id, account_id
        order by b.arrival nulls first, c.batch_id, c.cause
        rows between unbounded preceding and current row
    )
)

select
    $first::date as month,
    usage_date,
    publication,
    tenant_id,
    account_id,
    step,
    (published_cost + changed_so_far - delta)::decimal(38, 18) as old_cost,
    (published_cost + changed_so_far)::decimal(38, 18) as new_cost,
    delta,
    cause,
    batch_id,
    rows
from steps
where usage_date between $first and $last
