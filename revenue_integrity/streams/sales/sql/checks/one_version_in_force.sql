-- Every line is one fact: it finds one version of its customer, neither none nor several.
select
    lines.rows = facts.rows and facts.rows = facts.keys as passed,
    lines.rows as lines,
    facts.rows as facts
from (select count(*) as rows from curated.sales_lines where month = $month) as lines
cross join (
    select count(*) as rows, count(distinct row(transaction_id, line_no)) as keys from gold.fact_sales where month = $month
) as facts
