-- Deal lines with an amount due in the month.
select deal_id, line_no
from mart.deal_line_month
where month = $month and expected_cents <> 0
order by deal_id, line_no
