-- The general ledger's balances against those of the deals, per account, for accounts with a balance of the month.
with
    computed as (
        select
            coalesce(sum(deferred_revenue_cents), 0)::bigint as deferred_revenue,
            coalesce(sum(contract_asset_cents), 0)::bigint as contract_asset
        from mart.deal_month
        where month = $month
    )

select
    b.account,
    b.balance_cents as left_as_of_close,
    if(b.account = 'deferred_revenue', c.deferred_revenue, c.contract_asset) as right_amount
from raw.bookings_ledger_balances as b
cross join computed as c
where b.month = $month and b.row_status = 'surviving'
