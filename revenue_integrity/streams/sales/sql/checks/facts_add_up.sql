-- Lines, facts, the answer by region and category and the trend hold the same lines and cents.
with
    lines as (
        select count(*) as rows, coalesce(sum(total_cents), 0)::hugeint as cents from curated.sales_lines where month = $month
    ),

    facts as (
        select count(*) as rows, coalesce(sum(total_cents), 0)::hugeint as cents from gold.fact_sales where month = $month
    ),

    answers as (
        select coalesce(sum(lines), 0) as rows, coalesce(sum(total_cents), 0)::hugeint as cents
        from mart.sales_by_region_category
        where month = $month
    ),

    trend as (
        select coalesce(sum(total_cents), 0)::hugeint as cents from mart.sales_trend where month = $month
    )

select
    lines.rows = facts.rows and lines.rows = answers.rows
    and lines.cents = facts.cents and lines.cents = answers.cents and lines.cents = trend.cents as passed,
    lines.rows as lines,
    lines.cents::bigint as lines_cents,
    facts.cents::bigint as facts_cents,
    answers.cents::bigint as answers_cents,
    trend.cents::bigint as trend_cents
from lines
cross join facts
cross join answers
cross join trend
