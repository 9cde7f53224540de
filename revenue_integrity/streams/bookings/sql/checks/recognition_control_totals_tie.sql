-- Accounting's latest count of the period against the accepted entries that it had posted by then. A source that had begun to
-- deliver by the cutoff owes the month its count; one that began later owes nothing for what lies before.
with
    delivers as (
        select count(*) > 0 as does
        from raw.bookings_recognition_control_totals
        where month = $month or arrival <= $cutoff
    ),

    latest as (
        select
            lines,
            amount_cents,
            extracted_at
        from raw.bookings_recognition_control_totals
        where month = $month and row_status = 'surviving'
        order by extracted_at desc
        limit 1
    ),

    here as (
        select
            count(*) as lines,
            coalesce(sum(l.amount_cents), 0) as amount_cents
        from curated.recognition_lines as l
        where l.month = $month and l.posted_at <= coalesce((select extracted_at from latest), l.posted_at)
    )

select
    (not d.does) or coalesce(t.lines = h.lines and t.amount_cents = h.amount_cents, false) as passed,
    d.does as source_delivers,
    t.lines as ledger_entries,
    h.lines as entries_here,
    t.amount_cents as ledger_cents,
    h.amount_cents::bigint as cents_here
from delivers as d
cross join here as h
left join latest as t on true
