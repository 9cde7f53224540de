select
    account,
    left_cents as ledger_cents,
    right_cents as deals_cents,
    variance_cents,
    status
from recon.bookings_recon_results
where month = $month and recon = 'deferred_vs_ledger'
order by account
