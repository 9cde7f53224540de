-- MRR bridge per customer: run-rates at the ends of this month and the one before, from contract versions of all times.
with
    versions as (
        select * from raw.contract_versions where row_status = 'surviving' and effective_from <= $month_end
    ),

    -- Run-rate of each contract at the two ends.
    two_ends as (
        select unnest([$month::date - 1, $month_end::date]) as month_end
    ),

    at_ends as (
        select
            e.month_end,
            v.customer_id,
            v.contract_id,
            v.status,
            v.racks,
            v.reserved_kw,
            v.rack_price,
            v.kw_price
        from two_ends as e
        inner join versions as v
            on v.effective_from <= e.month_end and (v.effective_to is null or v.effective_to >= e.month_end)
        qualify row_number() over (partition by e.month_end, v.contract_id order by v.version desc) = 1
    ),

    run_rates as (
        select
            customer_id,
            month_end,
            sum(
                (racks::hugeint * (rack_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000) // 20000
                + (
                    (reserved_kw::decimal(38, 6) * 1000000)::hugeint
                    * (kw_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000000000
                ) // 20000000000
            )::bigint as mrr_cents
        from at_ends
        where status = 'active'
        group by customer_id, month_end
    ),

    bridge as (
        select
            customer_id,
            coalesce(sum(mrr_cents) filter (where month_end < $month), 0)::bigint as opening_cents,
            coalesce(sum(mrr_cents) filter (where month_end >= $month), 0)::bigint as closing_cents
        from run_rates
        group by customer_id
    ),

    -- Customers that begin: did they have MRR at any earlier month-end?
    starting as (
        select customer_id from bridge where opening_cents = 0 and closing_cents > 0
    ),

    earlier_ends as (
        select
            v.contract_id,
            v.customer_id,
            v.version,
            v.status,
            (v.racks::hugeint * (v.rack_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000) // 20000
            + (
                (v.reserved_kw::decimal(38, 6) * 1000000)::hugeint
                * (v.kw_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000000000
            ) // 20000000000
            > 0 as has_mrr,
            last_day(unnest(generate_series(
                date_trunc('month', v.effective_from)::timestamp,
                (least(coalesce(v.effective_to, $month::date - 1), $month::date - 1))::timestamp,
                interval 1 month
            ))::date) as month_end,
            v.effective_from,
            v.effective_to
        from versions as v
        where v.customer_id in (select customer_id from starting)
    ),

    reactivated as (
        select distinct customer_id
        from (
            select * from earlier_ends
            where effective_from <= month_end and (effective_to is null or effective_to >= month_end) and month_end < $month
            qualify row_number() over (partition by contract_id, month_end order by version desc) = 1
        )
        where status = 'active' and has_mrr
    )

select
    $month::date as month,
    b.customer_id,
    b.opening_cents,
    case when b.opening_cents = 0 and r.customer_id is null then b.closing_cents else 0 end as new_cents,
    case when b.opening_cents = 0 and r.customer_id is not null then b.closing_cents else 0 end as reactivation_cents,
    case when b.opening_cents > 0 and b.closing_cents > 0 then greatest(b.closing_cents - b.opening_cents, 0) else 0 end
        as expansion_cents,
    case when b.opening_cents > 0 and b.closing_cents > 0 then greatest(b.opening_cents - b.closing_cents, 0) else 0 end
        as contraction_cents,
    case when b.closing_cents = 0 then b.opening_cents else 0 end as churn_cents,
    b.closing_cents
from bridge as b
left join reactivated as r on b.customer_id = r.customer_id
where b.opening_cents <> 0 or b.closing_cents <> 0
