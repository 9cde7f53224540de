-- From the first period with a balance on, each account that the ledger ever delivered has one for the month, within tolerance.
with
    accounts as (
        select account, min(month) as first_period
        from raw.bookings_ledger_balances
        where row_status = 'surviving' and month <= $month
        group by account
    ),

    compared as (
        select a.account, r.status, coalesce(r.variance_cents, 0) as variance_cents
        from accounts as a
        left join recon.bookings_recon_results as r
            on r.month = $month and r.recon = 'deferred_vs_ledger' and a.account = r.account
    )

select
    count(*) filter (where status is null or status = 'breach') = 0 as passed,
    count(*) as accounts,
    count(*) filter (where status is null) as accounts_without_balance,
    count(*) filter (where status = 'breach') as accounts_in_breach,
    coalesce(sum(abs(variance_cents)), 0)::bigint as gross_cents
from compared
