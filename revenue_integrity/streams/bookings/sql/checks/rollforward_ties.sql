-- Opening, billed and recognized make closing; the opening is the closing of the month before, and closing is what deal_month
-- holds.
with
    months as (
        select
            sum(opening_cents) filter (where month = $month) as opening_cents,
            sum(closing_cents) filter (where month = $month) as closing_cents,
            sum(closing_cents) filter (where month < $month) as closing_before_cents,
            count(*) filter (where month = $month and opening_cents + billed_cents - recognized_cents <> closing_cents) as broken
        from mart.deferred_rollforward
        where month between $month - interval 1 month and $month
    ),

    balances as (
        select sum(deferred_revenue_cents - contract_asset_cents) as cents
        from mart.deal_month
        where month = $month
    )

select
    m.broken = 0
    and coalesce(m.closing_cents, 0) = coalesce(b.cents, 0)
    and (
        $month = date_trunc('month', $first_month)
        or coalesce(m.opening_cents, 0) = coalesce(m.closing_before_cents, 0)
    ) as passed,
    coalesce(m.opening_cents, 0)::bigint as opening_cents,
    coalesce(m.closing_before_cents, 0)::bigint as closing_before_cents,
    coalesce(m.closing_cents, 0)::bigint as closing_cents,
    coalesce(b.cents, 0)::bigint as balance_cents
from months as m
cross join balances as b
