with
{% include 'checks/materiality.sql.j2' %},

    found as (
        select
            count(*) as entries,
            coalesce(sum(amount_cents), 0)::hugeint as signed_cents,
            coalesce(sum(abs(amount_cents)), 0)::hugeint as gross_cents
        from curated.recognition_lines
        where month = $month and deal_id is null
    )

select
    f.gross_cents * 1000000 <= m.micro_cents as passed,
    f.entries,
    f.gross_cents::bigint as gross_cents,
    f.signed_cents::bigint as signed_cents,
    (m.micro_cents // 1000000)::bigint as materiality_cents
from found as f
cross join materiality as m
