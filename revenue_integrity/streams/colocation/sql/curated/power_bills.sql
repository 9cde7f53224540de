-- The winning power bill per site and month, those of several accounts added up; an accrual for a site with service and no bill.
{% set first_day = "(select min(month) from basis)" -%}
{% set last_day = "($month::date - 1)" -%}
with
{% include 'curated/bills.sql.j2' %},

    unbilled_sites as (
        select distinct t.site_id
        from curated.contract_terms as t
        anti join bills as b on t.site_id = b.site_id and b.month = $month
        where t.month = $month
    ),

    -- The latest (at most three) earlier months whose bill is final, per site without a bill.
    basis as (
        select
            b.site_id,
            b.month,
            b.energy_charge_cents,
            b.demand_charge_cents,
            b.fixed_charge_cents,
            b.tax_cents
        from bills as b
        inner join unbilled_sites as u on b.site_id = u.site_id
        where b.status = 'final' and b.month < $month
        qualify row_number() over (partition by b.site_id order by b.month desc) <= $accrual_months
    ),

    -- Nothing is read where every site has its bill.
{% include 'curated/metered_basis.sql.j2' %},

    basis_sums as (
        select
            b.site_id,
            sum(b.energy_charge_cents)::hugeint as energy_cents,
            sum(b.demand_charge_cents)::hugeint as demand_cents,
            sum(b.fixed_charge_cents)::hugeint as fixed_cents,
            sum(b.tax_cents)::hugeint as tax_cents,
            (sum(coalesce(m.kwh, 0)) * 1000000)::hugeint as micro_kwh
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
        where m.month = $month and t.site_id in (select site_id from unbilled_sites)
        group by t.site_id
    ),

    fractions as (
        select
            u.site_id,
            s.energy_cents * n.micro_kwh as energy,
            s.demand_cents * n.micro_kwh as demand,
            s.fixed_cents * n.micro_kwh as fixed,
            s.tax_cents * n.micro_kwh as tax,
            s.micro_kwh as kwh,
            coalesce(s.micro_kwh, 0) = 0 as no_bill_history
        from unbilled_sites as u
        left join basis_sums as s on u.site_id = s.site_id
        left join metered_now as n on u.site_id = n.site_id
    ),

    -- Rounded once, half away from zero; charges may be negative.
    accrued as (
        select
            site_id,
            no_bill_history,
            case
                when no_bill_history then 0
                else sign(energy) * ((abs(energy) * 2 + kwh) // (kwh * 2))
            end::bigint as energy_cents,
            case
                when no_bill_history then 0
                else sign(demand) * ((abs(demand) * 2 + kwh) // (kwh * 2))
            end::bigint as demand_cents,
            case when no_bill_history then 0 else sign(fixed) * ((abs(fixed) * 2 + kwh) // (kwh * 2)) end::bigint as fixed_cents,
            case when no_bill_history then 0 else sign(tax) * ((abs(tax) * 2 + kwh) // (kwh * 2)) end::bigint as tax_cents
        from fractions
    )

select
    $month::date as month,
    site_id,
    bill_version,
    status,
    kwh,
    energy_charge_cents as energy_cents,
    demand_charge_cents as demand_cents,
    fixed_charge_cents as fixed_cents,
    tax_cents,
    total_cents,
    false as is_accrued,
    false as no_bill_history
from bills
where month = $month
union all
select
    $month::date as month,
    site_id,
    null as bill_version,
    null as status,
    null as kwh,
    energy_cents,
    demand_cents,
    fixed_cents,
    tax_cents,
    energy_cents + demand_cents + fixed_cents + tax_cents as total_cents,
    true as is_accrued,
    no_bill_history
from accrued
