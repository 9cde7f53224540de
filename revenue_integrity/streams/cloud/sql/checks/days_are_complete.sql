-- Every tenant's day with costs is complete: all that is expected for it has delivered since its end; one row.
-- What is held back until it is complete is not, and counts with what came for it.
with
{% include 'checks/event_parts.sql.j2' %},

    tenant_days as (
        select
            tenant_id,
            usage_date,
            bool_and(data_complete) as is_complete,
            sum(total_cost)::decimal(38, 18) as cost
        from mart.daily_account_cost
        anti join held_days using (tenant_id, usage_date)
        where month = $month
        group by tenant_id, usage_date
        union all
        select
            tenant_id,
            usage_date,
            false,
            coalesce(b.cost, 0)
        from held_days
        left join held_back as b using (tenant_id, usage_date)
    )

select
    count(*) filter (where not is_complete) = 0 as passed,
    count(*) as tenant_days,
    count(*) filter (where not is_complete) as incomplete_days,
    coalesce(sum(cost) filter (where not is_complete), 0)::decimal(38, 18) as incomplete_cost,
    case when count(*) > 0
        -- Rounded down: only what is whole says 1.
        then (
            ((count(*) filter (where is_complete) * 1000000) // count(*))::decimal(18, 0) * 0.000001::decimal(7, 6)
        )::decimal(18, 6)
    end as complete_share
from tenant_days
