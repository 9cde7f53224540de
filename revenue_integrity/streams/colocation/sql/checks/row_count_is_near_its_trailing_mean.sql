-- The month's contracts against the mean of the three months before, as far as computed; one row.
with counts as (
    select
        count(*) filter (where month = $month) as contracts,
        count(*) filter (where month < $month) as earlier_rows,
        count(distinct month) filter (where month < $month) as earlier_months
    from mart.contract_month
    where month between $month - interval 3 month and $month
)

select
    earlier_months = 0
    or abs(contracts * earlier_months - earlier_rows) <= $row_count_warn_share * earlier_rows as passed,
    contracts,
    earlier_rows,
    earlier_months
from counts
