-- What was billed in the month for the lines that have a variance; a document that names no line is for the only line of a deal.
with
{% include 'recon/causes_keys.sql.j2' %},

    only_lines as (
        select deal_id, any_value(line_no) as line_no
        from raw.bookings_deal_lines
        where row_status = 'surviving'
        group by deal_id
        having count(distinct line_no) = 1
    ),

    billed as (
        select b.month, b.deal_id, coalesce(b.line_no, o.line_no) as line_no, sum(b.amount_cents)::bigint as billed_cents
        from curated.billing_lines as b
        left join only_lines as o on b.deal_id = o.deal_id
        where b.month between $first and $last
        group by all
    )

select b.month, b.deal_id, b.line_no, b.billed_cents
from billed as b
inner join varying_lines as v on b.month = v.month and b.deal_id = v.deal_id and b.line_no = v.line_no
order by all
