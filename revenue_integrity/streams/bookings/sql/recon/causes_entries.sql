-- Entries of the rows that have a variance, and the late ones of the month. Whether a reversal names an entry of its line is told
-- from what that entry says of itself, of whatever period it is.
with
{% include 'recon/causes_keys.sql.j2' %},

    entries as (
        select r.*
        from raw.bookings_recognition_entries as r
        where
            r.row_status = 'surviving'
            and r.entry_id in (
                select reverses_entry_id from curated.recognition_lines
                where month between $first and $last and reverses_entry_id is not null
            )
    ),

{% include 'curated/entry_lines.sql.j2' %},

    named as (
        select
            r.entry_id,
            coalesce(r.found_deal_id, r.deal_id) as deal_id,
            coalesce(r.found_line_no, if(r.found_deal_id is null, o.line_no, null)) as line_no,
            r.revenue_type
        from referenced as r
        left join only_line_of_type as o on r.deal_id = o.deal_id and r.revenue_type = o.revenue_type
    )

select
    k.month,
    k.row_key,
    l.entry_id,
    l.amount_cents,
    l.posted_at,
    l.late,
    l.entry_type = 'reversal' as is_reversal,
    l.reverses_entry_id,
    coalesce(
        n.deal_id = l.deal_id and coalesce(n.line_no, l.line_no) = l.line_no and n.revenue_type = l.revenue_type, false
    ) as reverses_own_line,
    e.deal_id as named_deal_id
from told as k
inner join curated.recognition_lines as l
    on
        k.month = l.month
        and k.customer_id is not distinct from l.customer_id
        and k.deal_id is not distinct from l.deal_id
        and k.line_no is not distinct from l.line_no
        and k.revenue_type = l.revenue_type
left join named as n on l.reverses_entry_id = n.entry_id
left join raw.bookings_recognition_entries as e on l.entry_id = e.entry_id and e.row_status = 'surviving'
order by k.month, l.entry_id
