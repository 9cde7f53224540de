-- Every account and service of the month is known to the look-ups that are delivered; one row.
with
{% include 'checks/unknown_names.sql.j2' %}

select
    count(*) filter (where look_up in (select source from delivered)) = 0 as passed,
    count(distinct missing) filter (where look_up = 'accounts') as unknown_accounts,
    count(distinct missing) filter (where look_up = 'services') as unknown_services,
    coalesce(sum(event_count) filter (where look_up = 'accounts'), 0)::bigint as rows_of_unknown_accounts,
    coalesce(sum(event_count) filter (where look_up = 'services'), 0)::bigint as rows_of_unknown_services,
    coalesce(sum(total_cost) filter (where look_up = 'accounts'), 0)::decimal(38, 18) as cost_of_unknown_accounts,
    coalesce(sum(total_cost) filter (where look_up = 'services'), 0)::decimal(38, 18) as cost_of_unknown_services
from unknown_names
