-- What each segment of a row with a variance would cost on the terms of each earlier version that a later one has replaced.
-- Quantities and prices in millionths; amounts in cents, rounded once like the charge itself.
with
    varied as (
        select
            row_key,
            contract_id,
            charge_type
        from recon.recon_results
        where
            month = $month and recon = 'erp_vs_mart' and view = 'current' and variance_cents <> 0 and contract_id is not null
    ),

    pairs as (
        select
            t.contract_id,
            t.segment_from,
            t.active_days,
            t.days_in_month,
            v.version as earlier_version,
            (v.racks::decimal(38, 6) * 1000000)::hugeint as micro_racks,
            (v.rack_price::decimal(38, 6) * 1000000)::hugeint as micro_rack_price,
            (v.reserved_kw::decimal(38, 6) * 1000000)::hugeint as micro_kw,
            (v.kw_price::decimal(38, 6) * 1000000)::hugeint as micro_kw_price,
            case
                when v.pricing_model = 'metered' then (v.energy_rate::decimal(38, 6) * 1000000)::hugeint
            end as micro_energy_rate,
            (coalesce(v.pue_uplift, 1) * 1000000)::hugeint as micro_uplift,
            (v.overage_price::decimal(38, 6) * 1000000)::hugeint as micro_overage_price
        from curated.contract_terms as t
        inner join raw.contract_versions as v on t.contract_id = v.contract_id and t.version > v.version
        where
            t.month = $month
            and v.row_status = 'surviving'
            and v.status = 'active'
            and v.effective_from <= t.segment_to
            and t.contract_id in (select contract_id from varied)
    ),

    kwh as (
        select
            t.contract_id,
            t.segment_from,
            (sum(u.kwh) * 1000000)::hugeint as micro_kwh,
            (max(u.peak_kw) * 1000000)::hugeint as micro_peak_kw
        from curated.contract_terms as t
        inner join curated.meter_daily as u
            on u.month = $month and t.contract_id = u.contract_id and u.reading_date between t.segment_from and t.segment_to
        where t.month = $month and t.contract_id in (select contract_id from varied)
        group by t.contract_id, t.segment_from
    ),

    charges as (
        select
            contract_id,
            segment_from,
            earlier_version,
            'rack' as charge_type,
            micro_racks * active_days as quantity_numerator,
            days_in_month::hugeint as quantity_denominator,
            micro_rack_price as micro_price,
            micro_racks * active_days * micro_rack_price as numerator,
            10000000000::hugeint * days_in_month as denominator
        from pairs
        union all
        select
            contract_id,
            segment_from,
            earlier_version,
            'power',
            micro_kw * active_days,
            days_in_month::hugeint,
            micro_kw_price,
            micro_kw * active_days * micro_kw_price,
            10000000000::hugeint * days_in_month
        from pairs
        union all
        select
            p.contract_id,
            p.segment_from,
            p.earlier_version,
            'energy',
            k.micro_kwh * p.micro_uplift,
            1000000::hugeint,
            p.micro_energy_rate,
            k.micro_kwh * p.micro_uplift * p.micro_energy_rate,
            10000000000000000::hugeint
        from pairs as p
        inner join kwh as k on p.contract_id = k.contract_id and p.segment_from = k.segment_from
        where p.micro_energy_rate is not null
        union all
        select
            p.contract_id,
            p.segment_from,
            p.earlier_version,
            'overage',
            greatest(k.micro_peak_kw - p.micro_kw, 0::hugeint),
            1::hugeint,
            p.micro_overage_price,
            greatest(k.micro_peak_kw - p.micro_kw, 0::hugeint) * p.micro_overage_price,
            10000000000::hugeint
        from pairs as p
        inner join kwh as k on p.contract_id = k.contract_id and p.segment_from = k.segment_from
        where p.micro_overage_price is not null
    )

select
    v.row_key,
    c.segment_from,
    c.earlier_version,
    ((c.quantity_numerator * 2 + c.quantity_denominator) // (c.quantity_denominator * 2))::bigint as micro_quantity,
    c.micro_price::bigint as micro_price,
    ((c.numerator * 2 + c.denominator) // (c.denominator * 2))::bigint as amount_cents
from charges as c
inner join varied as v on c.contract_id = v.contract_id and c.charge_type = v.charge_type
order by v.row_key, c.earlier_version, c.segment_from
