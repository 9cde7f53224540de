-- What FOCUS rows contribute, one row per account-day, cause and batch. Rows have no id: of a scope that was overwritten the old
-- and the new rows of a day are compared as multisets over everything that is carried along.
-- Reads `event_rows` of the files that came or went. Where an export is gone with its batch there is nothing to compare with:
-- what stands again in its place is left to `reread_causes`.
with lost as (
    select distinct usage_date, scope from restatement_parts where state = 'lost' and source = 'focus'
),

charges as (
    select
        p.state,
        r.source,
        p.scope,
        r.usage_date,
        r.tenant_id,
        r.account_id,
        r.service_name,
        r.region,
        r.pricing_model,
        r.charge_category,
        r.charge_class,
        r.cost,
        r.effective_cost,
        r.batch_id,
        count(*) as rows
    from event_rows as r
    inner join restatement_parts as p
        on r.file_no = p.file_no and r.usage_date = p.usage_date and r.tenant_id = p.tenant_id
        and coalesce(r.scope, '') = p.scope
    left join lost as l on p.usage_date = l.usage_date and p.scope = l.scope and r.source = 'focus'
    where l.scope is null and r.source in ('focus', 'focus_delta') and p.state <> 'reread'
    group by all
),

additions as (
    select * from charges where state = 'came' and source = 'focus_delta'
),

counted as (
    select
        scope,
        usage_date,
        tenant_id,
        account_id,
        service_name,
        region,
        pricing_model,
        charge_category,
        charge_class,
        cost,
        effective_cost,
        coalesce(sum(rows) filter (where state = 'went'), 0)::bigint as old_rows,
        coalesce(sum(rows) filter (where state = 'came'), 0)::bigint as new_rows,
        max(batch_id) as own_batch_id
    from charges
    where state = 'went' or source = 'focus'
    group by all
),

repeated as (
    select *, old_rows > 1 and new_rows between 1 and old_rows - 1 as is_repetition
    from counted
    where old_rows <> new_rows
),

replaced as (
    select
        scope,
        usage_date,
        tenant_id,
        account_id,
        case
            when is_repetition then 'duplicate_removed'
            when sum(greatest(old_rows - new_rows, 0)) = 0 then 'late'
            when sum(greatest(new_rows - old_rows, 0)) = 0 then 'omission'
            else 'correction'
        end as cause,
        sum(cost * (new_rows - old_rows)::decimal(18, 0))::decimal(38, 18) as delta,
        greatest(sum(greatest(old_rows - new_rows, 0)), sum(greatest(new_rows - old_rows, 0)))::bigint as rows,
        max(own_batch_id) as own_batch_id
    from repeated
    group by
        scope, usage_date, tenant_id, account_id, service_name, region, pricing_model, charge_category, is_repetition
),

overwriting as (
    -- A delivery that left out all of a day has no row of the day, and those that it has may be set aside: it is then the latest
    -- of the scope.
    select
        r.scope,
        r.usage_date,
        arg_max(d.batch_id, (d.is_live and d.usage_date = r.usage_date, d.arrival, d.batch_id)) as batch_id
    from (select distinct scope, usage_date from replaced) as r
    inner join cloud_events.days as d on r.scope = coalesce(d.scope, '') and d.source = 'focus'
    group by all
)

select
    r.usage_date,
    r.tenant_id,
    r.account_id,
    r.cause,
    -- Without a delivery that overwrites, the rows went with their own.
    coalesce(o.batch_id, r.own_batch_id) as batch_id,
    sum(r.delta)::decimal(38, 18) as delta,
    sum(r.rows)::bigint as rows
from replaced as r
left join overwriting as o on r.scope = o.scope and r.usage_date = o.usage_date
group by all
union all
select
    usage_date,
    tenant_id,
    account_id,
    case lower(charge_class) when 'correction' then 'correction' else 'late' end as cause,
    batch_id,
    sum(cost * rows::decimal(18, 0))::decimal(38, 18) as delta,
    sum(rows)::bigint as rows
from additions
group by all
