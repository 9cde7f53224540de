-- Tenants' days of the month that are held back and stay as they were when they were complete, one row each.
select tenant_id, usage_date
from meta.cloud_held_days
semi join mart.daily_account_cost using (tenant_id, usage_date)
where usage_date between $first and $last
