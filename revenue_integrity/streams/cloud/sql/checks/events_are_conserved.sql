-- Every row that batches brought for the month survives, or is superseded, a duplicate, deleted, quarantined or set aside: in
-- rows and in cost; and no batch brought rows that are on no day and not refused. One row.
with
{% include 'checks/event_parts.sql.j2' %},

    counted as (
        select
            coalesce(sum(rows) filter (where part = 'read'), 0)::bigint as rows_read,
            coalesce(sum(rows) filter (where part = 'superseded'), 0)::bigint as rows_superseded,
            coalesce(sum(rows) filter (where part = 'duplicate'), 0)::bigint as rows_duplicate,
            coalesce(sum(rows) filter (where part = 'deleted'), 0)::bigint as rows_deleted,
            coalesce(sum(rows) filter (where part = 'quarantined'), 0)::bigint as rows_quarantined,
            coalesce(sum(rows) filter (where part = 'set_aside'), 0)::bigint as rows_set_aside,
            coalesce(sum(cost) filter (where part = 'read'), 0)::decimal(38, 18) as cost_read,
            coalesce(sum(cost) filter (where part = 'superseded'), 0)::decimal(38, 18) as cost_superseded,
            coalesce(sum(cost) filter (where part = 'duplicate'), 0)::decimal(38, 18) as cost_duplicate,
            coalesce(sum(cost) filter (where part = 'deleted'), 0)::decimal(38, 18) as cost_deleted,
            coalesce(sum(cost) filter (where part = 'quarantined'), 0)::decimal(38, 18) as cost_quarantined,
            coalesce(sum(cost) filter (where part = 'set_aside'), 0)::decimal(38, 18) as cost_set_aside
        from parts
    ),

    -- What is held back counts, too, and is shown later.
    surviving as (
        select
            coalesce(sum(rows), 0)::bigint as rows_surviving,
            coalesce(sum(cost), 0)::decimal(38, 18) as cost_surviving
        from (
            select event_count as rows, total_cost as cost
            from mart.daily_account_cost
            anti join held_days using (tenant_id, usage_date)
            where month = $month
            union all
            select rows, cost from held_back
        )
    ),

{% include 'checks/batch_rows.sql.j2' %}

select
    c.rows_read
    = s.rows_surviving + c.rows_superseded + c.rows_duplicate + c.rows_deleted + c.rows_quarantined + c.rows_set_aside
    and c.cost_read
    = s.cost_surviving + c.cost_superseded + c.cost_duplicate + c.cost_deleted + c.cost_quarantined + c.cost_set_aside
    and not exists (select 1 from batch_rows where rows_unaccounted <> 0 or rows_surviving < 0) as passed,
    (select count(*) from batch_rows) as batches,
    c.rows_read,
    s.rows_surviving,
    c.rows_superseded,
    c.rows_duplicate,
    c.rows_deleted,
    c.rows_quarantined,
    c.rows_set_aside,
    c.cost_read,
    s.cost_surviving,
    c.cost_superseded,
    c.cost_duplicate,
    c.cost_deleted,
    c.cost_quarantined,
    c.cost_set_aside
from counted as c
cross join surviving as s
