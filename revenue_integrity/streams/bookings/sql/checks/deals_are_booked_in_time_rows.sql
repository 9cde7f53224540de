select
    deal_id,
    line_no,
    version,
    catch_up_cents,
    expected_cents
from mart.recognition_schedule
where month = $month and catch_up_cents <> 0
order by abs(catch_up_cents) desc, deal_id, line_no
limit 20
