-- The days of the month, one row each.
select
    $month::date as month,
    strftime(day, '%Y%m%d')::bigint as date_key,
    day as date,
    year(day)::bigint as year,
    quarter(day)::bigint as quarter,
    month(day)::bigint as month_no,
    monthname(day) as month_name,
    isoyear(day)::bigint as iso_year,
    week(day)::bigint as week,
    isodow(day)::bigint as day_of_week,
    dayname(day) as day_name,
    isodow(day) > 5 as is_weekend
from (select generate_series::date as day from generate_series($month::timestamp, $month_end::timestamp, interval 1 day))
