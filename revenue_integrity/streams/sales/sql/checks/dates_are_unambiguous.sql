-- Dates whose day and month could be read either way, those read against the setting, and sales dated after they arrived.
with
    lines as (
        select
            lines.*,
            sent.arrival,
            -- The other reading exchanges day and month.
            lines.date_ambiguous and month(lines.sold_on) <> day(lines.sold_on) as moves
        from curated.sales_lines as lines
        inner join raw.sales_transactions as sent
            on
                lines.transaction_id = sent.transaction_id and lines.line_no = sent.line_no
                and sent.row_status = 'surviving' and sent.month = $month
        where lines.month = $month
    )

select
    count(*) filter (where date_ambiguous or date_other_order or sold_on > (timezone($sales_timezone, arrival))::date) = 0
        as passed,
    count(*) as lines,
    count(*) filter (where date_ambiguous) as ambiguous,
    count(*) filter (where date_other_order) as read_in_the_other_order,
    coalesce(sum(abs(total_cents)) filter (where moves), 0)::bigint as in_another_month_cents,
    count(*) filter (where sold_on > (timezone($sales_timezone, arrival))::date) as sold_after_arrival
from lines
