-- Each charge of each site's power bill split over the contracts with service there and STRANDED, by largest remainder.
with
{% include 'mart/bills_by_charge.sql.j2' %},

    reserved as (
        select
            site_id,
            contract_id,
            sum((reserved_kw::decimal(38, 6) * 1000000)::hugeint * active_days) as kw_days
        from curated.contract_terms
        where month = $month
        group by site_id, contract_id
    ),

    used as (
        select
            contract_id,
            (sum(kwh) * 1000000)::hugeint as kwh
        from curated.meter_daily
        where month = $month
        group by contract_id
    ),

    contracts as (
        select
            r.site_id,
            r.contract_id,
            r.kw_days,
            coalesce(u.kwh, 0::hugeint) as kwh
        from reserved as r
        left join used as u on r.contract_id = u.contract_id
    ),

    site_sums as (
        select
            b.site_id,
            (s.capacity_kw::decimal(38, 6) * 1000000)::hugeint * day($month_end::date) as capacity_kw_days,
            coalesce(sum(c.kw_days), 0)::hugeint as kw_days,
            coalesce(sum(c.kwh), 0)::hugeint as kwh
        from (select distinct site_id from bills) as b
        inner join curated.sites as s on b.site_id = s.site_id and s.month = $month
        left join contracts as c on b.site_id = c.site_id
        group by b.site_id, s.capacity_kw
    ),

    -- STRANDED stands beside the contracts: for power that nobody reserved, and for energy that nobody metered.
    members as (
        select
            site_id,
            contract_id,
            kw_days,
            kwh
        from contracts
        union all
        select
            site_id,
            'STRANDED',
            greatest(capacity_kw_days - kw_days, 0::hugeint),
            case when kwh = 0 then 1::hugeint else 0::hugeint end
        from site_sums
    ),

    weighted as (
        select
            b.site_id,
            b.charge,
            b.billed_cents,
            m.contract_id,
            case
                when $allocation_method = 'metered_share' or ($allocation_method = 'hybrid' and b.charge = 'energy') then m.kwh
                else m.kw_days
            end as own_weight
        from bills as b
        inner join members as m on b.site_id = m.site_id
    ),

    -- Weights that are all zero count as equal.
    weights as (
        select
            *,
            case when sum(own_weight) over charges = 0 then 1::hugeint else own_weight end as weight
        from weighted
        window charges as (partition by site_id, charge)
    ),

    floors as (
        select
            *,
            abs(billed_cents)::hugeint * weight // sum(weight) over charges as whole_cents,
            abs(billed_cents)::hugeint * weight % sum(weight) over charges as remainder
        from (select * replace (weight::hugeint as weight) from weights)
        window charges as (partition by site_id, charge)
    ),

    ranked as (
        select
            *,
            abs(billed_cents) - sum(whole_cents) over charges as cents_left,
            row_number() over (partition by site_id, charge order by remainder desc, contract_id) as place
        from floors
        window charges as (partition by site_id, charge)
    )

select
    $month::date as month,
    site_id,
    contract_id,
    charge,
    (sign(billed_cents) * (whole_cents + case when place <= cents_left then 1 else 0 end))::bigint as amount_cents
from ranked
-- Stored in key order: whoever hashes or publishes the month then finds nothing left to sort.
order by site_id, contract_id, charge
