-- Energy billed, and metered energy times billed over metered kWh of the latest earlier months with a final bill, in whole Wh,
-- per site.
{% set first_day = "(select min(month) from basis)" -%}
{% set last_day = "($month::date - 1)" -%}
with
{% include 'curated/bills.sql.j2' %},

    basis as (
        select
            b.site_id,
            b.month,
            b.kwh
        from bills as b
        where
            b.status = 'final'
            and b.month < $month
            and b.site_id in (select site_id from curated.power_bills where month = $month and not is_accrued)
        qualify row_number() over (partition by b.site_id order by b.month desc) <= $accrual_months
    ),

{% include 'curated/metered_basis.sql.j2' %},

    basis_sums as (
        select
            b.site_id,
            (sum(b.kwh) * 1000000)::hugeint as billed_micro_kwh,
            (sum(coalesce(m.kwh, 0)) * 1000000)::hugeint as metered_micro_kwh
        from basis as b
        left join metered_before as m on b.site_id = m.site_id and b.month = m.month
        group by b.site_id
    ),

    metered_now as (
        select
            t.site_id,
            (sum(m.kwh) * 1000000)::hugeint as micro_kwh
        from curated.meter_daily as m
        inner join (select distinct contract_id, site_id from curated.contract_terms where month = $month) as t
            on m.contract_id = t.contract_id
        where m.month = $month
        group by t.site_id
    )

-- Rounded once to whole Wh; a Wh is a thousand millionths of a kWh.
select
    b.site_id,
    (((b.kwh::decimal(38, 6) * 1000000)::hugeint * 2 + 1000) // 2000)::bigint as left_current,
    (
        (coalesce(n.micro_kwh, 0) * s.billed_micro_kwh * 2 + s.metered_micro_kwh * 1000)
        // (s.metered_micro_kwh * 2000)
    )::bigint as right_amount
from curated.power_bills as b
inner join basis_sums as s on b.site_id = s.site_id
left join metered_now as n on b.site_id = n.site_id
where b.month = $month and not b.is_accrued and s.metered_micro_kwh > 0
