-- Lines spread in equal months whose months do not end with their term.
select
    count(*) filter (where (start_date + to_months(months::integer))::date - 1 <> end_date) = 0 as passed,
    count(*) as lines,
    count(*) filter (where (start_date + to_months(months::integer))::date - 1 <> end_date) as lines_of_part_months
from mart.deal_terms
where month = $month and policy = 'equal_months'
