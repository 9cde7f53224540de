-- Discounts below 1 %: whoever writes 0.05 % mostly means 5 %.
select
    count(*) filter (where discount > 0 and discount < 0.01) = 0 as passed,
    count(*) as lines,
    count(*) filter (where discount > 0 and discount < 0.01) as tiny_discounts
from curated.sales_lines
where month = $month
