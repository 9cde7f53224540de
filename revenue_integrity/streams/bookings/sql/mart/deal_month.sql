-- Each deal's month: what is due, recognized and billed, and its balances as the books stood at the cutoff.
with
    expected as (
        select
            deal_id,
            any_value(customer_id) as customer_id,
            sum(expected_cents) as expected_cents,
            sum(expected_to_date_cents) as expected_to_date_cents,
            sum(remaining_cents) as rpo_cents,
            sum(remaining_12m_cents) as rpo_12m_cents
        from mart.deal_line_month
        where month = $month
        group by deal_id
    ),

    recognized as (
        select
            deal_id,
            sum(amount_cents) as recognized_cents,
            sum(amount_cents) filter (where not late) as recognized_at_close_cents
        from curated.recognition_lines
        where month = $month and deal_id is not null
        group by deal_id
    ),

    billed as (
        select deal_id, sum(amount_cents) as billed_cents
        from curated.billing_lines
        where month = $month
        group by deal_id
    ),

    to_date as (
        select
            deal_id,
            any_value(customer_id) as customer_id,
            sum(recognized_cents) as recognized_to_date_cents,
            sum(billed_cents) as billed_to_date_cents
        from mart.bookings_flows
        where month <= $month and recognized_month <= $month and deal_id is not null
        group by deal_id
    ),

    -- A posting after the cutoff belongs to the month before any balance holds it.
    deals as (
        select deal_id, any_value(customer_id) as customer_id
        from (
            select deal_id, customer_id from expected
            union all
            select deal_id, customer_id from to_date
            union all
            select deal_id, customer_id from mart.bookings_flows where month = $month and deal_id is not null
        )
        group by deal_id
    ),

    figures as (
        select
            d.deal_id,
            d.customer_id,
            coalesce(e.expected_cents, 0)::bigint as expected_cents,
            coalesce(r.recognized_cents, 0)::bigint as recognized_cents,
            coalesce(r.recognized_at_close_cents, 0)::bigint as recognized_at_close_cents,
            coalesce(b.billed_cents, 0)::bigint as billed_cents,
            coalesce(e.expected_to_date_cents, 0)::bigint as expected_to_date_cents,
            coalesce(t.recognized_to_date_cents, 0)::bigint as recognized_to_date_cents,
            coalesce(t.billed_to_date_cents, 0)::bigint as billed_to_date_cents,
            coalesce(e.rpo_cents, 0)::bigint as rpo_cents,
            coalesce(e.rpo_12m_cents, 0)::bigint as rpo_12m_cents
        from deals as d
        left join expected as e on d.deal_id = e.deal_id
        left join recognized as r on d.deal_id = r.deal_id
        left join billed as b on d.deal_id = b.deal_id
        left join to_date as t on d.deal_id = t.deal_id
    ),

    balances as (
        select
            *,
            expected_to_date_cents - recognized_to_date_cents as unrecognized_cents,
            greatest(billed_to_date_cents - recognized_to_date_cents, 0) as deferred_revenue_cents,
            greatest(recognized_to_date_cents - billed_to_date_cents, 0) as contract_asset_cents
        from figures
    )

select
    $month::date as month,
    b.deal_id,
    b.customer_id,
    c.segment,
    b.expected_cents,
    b.recognized_cents,
    b.recognized_at_close_cents,
    b.billed_cents,
    b.expected_to_date_cents,
    b.recognized_to_date_cents,
    b.billed_to_date_cents,
    b.unrecognized_cents,
    b.deferred_revenue_cents,
    b.contract_asset_cents,
    b.rpo_cents,
    b.rpo_12m_cents
from balances as b
inner join curated.bookings_customers_known as c on b.customer_id = c.customer_id and c.month = $month
where
    b.expected_cents <> 0
    or b.recognized_cents <> 0
    or b.recognized_at_close_cents <> 0
    or b.billed_cents <> 0
    or b.unrecognized_cents <> 0
    or b.deferred_revenue_cents <> 0
    or b.contract_asset_cents <> 0
    or b.rpo_cents <> 0
