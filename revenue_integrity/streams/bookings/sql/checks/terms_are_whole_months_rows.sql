select
    deal_id,
    line_no,
    version,
    start_date,
    end_date,
    months,
    amount_cents
from mart.deal_terms
where
    month = $month
    and policy = 'equal_months'
    and (start_date + to_months(months::integer))::date - 1 <> end_date
order by abs(amount_cents) desc, deal_id, line_no
limit 20
