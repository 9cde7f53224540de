select
    count(*) filter (where cause = 'unexplained') = 0 as passed,
    coalesce(sum(abs(cause_cents)) filter (where cause = 'unexplained'), 0)::bigint as unexplained_cents,
    count(*) filter (where cause = 'unexplained') as unexplained_rows,
    count(*) as causes,
    coalesce(sum(abs(cause_cents)), 0)::bigint as gross_cause_cents
from recon.bookings_recon_causes
where month = $month and view = 'current'
