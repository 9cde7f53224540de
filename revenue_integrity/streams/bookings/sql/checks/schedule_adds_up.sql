-- What is due to date and what remains make the price of the version that was agreed last, unless that cancels the line.
select
    count(*) filter (where expected_to_date_cents + remaining_cents <> agreed_cents) = 0 as passed,
    count(*) as lines,
    count(*) filter (where expected_to_date_cents + remaining_cents <> agreed_cents) as lines_that_do_not_add_up,
    coalesce(sum(abs(expected_to_date_cents + remaining_cents - agreed_cents)), 0)::bigint as difference_cents
from mart.deal_line_month
where month = $month and agreed_cents is not null
