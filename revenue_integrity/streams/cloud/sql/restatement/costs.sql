-- What is about to be published: one row per day, tenant and account of the month.
select usage_date, tenant_id, account_id, total_cost as cost
from mart.daily_account_cost
where month = $first
