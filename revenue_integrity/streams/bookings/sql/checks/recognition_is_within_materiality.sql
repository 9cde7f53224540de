-- Rows in breach in either view count once: the causes of the view as of close are those of all postings and late postings.
with
{% include 'checks/materiality.sql.j2' %},

    breaches as (
        select distinct row_key
        from recon.bookings_recon_results
        where month = $month and recon = 'recognized_vs_schedule' and status = 'breach'
    ),

    at_risk as (
        select
            coalesce(sum(abs(cause_cents)), 0)::hugeint as gross_cents,
            coalesce(sum(cause_cents), 0)::hugeint as signed_cents,
            count(*) as causes
        from recon.bookings_recon_causes
        where
            month = $month
            and view = 'current'
            and cause <> 'late_posting'
            and row_key in (select row_key from breaches)
    )

select
    a.gross_cents * 1000000 <= m.micro_cents as passed,
    a.gross_cents::bigint as gross_cents,
    a.signed_cents::bigint as signed_cents,
    (m.micro_cents // 1000000)::bigint as materiality_cents,
    b.cents::bigint as expected_revenue_cents,
    a.causes,
    (select count(*) from breaches) as rows_in_breach
from at_risk as a
cross join materiality as m
cross join base as b
