-- Lines of the month that rest on an assumption: recurring and one-time ones on how their class is read, bundles on allocation.
select
    case when revenue_class = 'recurring' then 'recurring_policy' else 'one_time_policy' end as assumption,
    count(*) as lines
from mart.recognition_schedule
where month = $month
group by all
union all
select
    'allocate_transaction_price' as assumption,
    count(*) as lines
from mart.recognition_schedule
where month = $month and allocated_shift_cents <> 0
union all
select
    'backdated' as assumption,
    count(*) as lines
from mart.recognition_schedule
where month = $month and catch_up_cents <> 0
order by assumption
