-- Rows and cost of the month, and how much of it rests on assumptions that leave a trace in the tables; one row.
with
    services as (
        select tenant_id, account_id, service_name, usage_date, event_count, abs(total_cost) as gross_cost
        from mart.account_service_day
        where month = $month
    ),

    incomplete as (
        select
            coalesce(sum(event_count), 0)::bigint as rows,
            coalesce(sum(abs(total_cost)), 0)::decimal(38, 18) as gross_cost
        from mart.daily_account_cost
        where month = $month and not data_complete
    )

select
    coalesce(sum(s.event_count), 0)::bigint as rows,
    coalesce(sum(s.gross_cost), 0)::decimal(38, 18) as gross_cost,
    coalesce(sum(s.event_count) filter (where s.tenant_id = $default_tenant), 0)::bigint as default_tenant_rows,
    coalesce(sum(s.gross_cost) filter (where s.tenant_id = $default_tenant), 0)::decimal(38, 18) as default_tenant_cost,
    any_value(i.rows) as incomplete_rows,
    any_value(i.gross_cost) as incomplete_cost
from incomplete as i
left join services as s on true
