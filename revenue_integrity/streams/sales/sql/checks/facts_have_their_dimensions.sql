-- Every fact has the keys of what it names, and its day is one of the month.
select
    count(*) filter (where
        (customer_key = 0) <> (facts.customer_id is null)
        or (product_key = 0) <> (lines.product_id is null)
        or (region_key = 0) <> (lines.region_member is null)
        or (category_key = 0) <> (lines.category_member is null)
        or days.date_key is null
    ) = 0 as passed,
    count(*) as facts,
    count(*) filter (where days.date_key is null) as facts_without_a_day,
    count(*) filter (where (customer_key = 0) <> (facts.customer_id is null)) as facts_without_a_customer
from gold.fact_sales as facts
inner join curated.sales_lines as lines
    on facts.month = lines.month and facts.transaction_id = lines.transaction_id and facts.line_no = lines.line_no
left join gold.sales_dim_date as days on facts.month = days.month and facts.date_key = days.date_key
where facts.month = $month
