-- What a row with a variance would cost had no later version replaced an earlier one: its charges on the terms of that version
-- where it was replaced, on those in force elsewhere; once by segment, and once with neighbouring segments of one version taken
-- together, as they would be charged had no later version come. Quantities and prices in millionths; amounts in cents, rounded
-- once like the charge itself.
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

    versions as (
        select
            contract_id,
            version,
            status,
            effective_from,
            pricing_model,
            (racks::decimal(38, 6) * 1000000)::hugeint as micro_racks,
            (rack_price::decimal(38, 6) * 1000000)::hugeint as micro_rack_price,
            (reserved_kw::decimal(38, 6) * 1000000)::hugeint as micro_kw,
            (kw_price::decimal(38, 6) * 1000000)::hugeint as micro_kw_price,
            (energy_rate::decimal(38, 6) * 1000000)::hugeint as micro_energy_rate,
            (coalesce(pue_uplift, 1) * 1000000)::hugeint as micro_uplift,
            (overage_price::decimal(38, 6) * 1000000)::hugeint as micro_overage_price,
            one_time_fee_cents
        from raw.contract_versions
        where row_status = 'surviving' and contract_id in (select contract_id from varied)
    ),

    -- Each segment on each earlier version, or on its own where that version was not replaced.
    segments as (
        select
            t.contract_id,
            e.version as earlier_version,
            t.version as version_in_force,
            t.version > e.version and e.effective_from <= t.segment_to as is_replaced,
            case when is_replaced then e.version else t.version end as version,
            case when is_replaced then greatest(t.segment_from, e.effective_from) else t.segment_from end as segment_from,
            t.segment_to,
            t.days_in_month
        from curated.contract_terms as t
        inner join versions as e on t.contract_id = e.contract_id
        where t.month = $month and e.status = 'active'
        qualify bool_or(is_replaced) over (partition by t.contract_id, e.version)
    ),

    numbered as (
        select
            *,
            lag(segment_to) over (partition by contract_id, earlier_version order by segment_from) + 1 <> segment_from
            or coalesce(lag(version) over (partition by contract_id, earlier_version order by segment_from) <> version, true)
                as is_new
        from segments
    ),

    islands as (
        select
            *,
            sum(is_new::int) over (partition by contract_id, earlier_version order by segment_from) as island
        from numbered
    ),

    pieces as (
        select
            contract_id,
            earlier_version,
            false as is_together,
            version,
            segment_from,
            segment_to,
            days_in_month,
            case when is_replaced then version_in_force end as replaced_by
        from islands
        union all
        select
            contract_id,
            earlier_version,
            true,
            any_value(version),
            min(segment_from),
            max(segment_to),
            any_value(days_in_month),
            max(case when is_replaced then version_in_force end)
        from islands
        group by contract_id, earlier_version, island
    ),

    terms as (
        select
            p.*,
            datediff('day', p.segment_from, p.segment_to) + 1 as days,
            v.* exclude (contract_id, version)
        from pieces as p
        inner join versions as v on p.contract_id = v.contract_id and p.version = v.version
    ),

    usage as (
        select
            t.contract_id,
            t.earlier_version,
            t.is_together,
            t.segment_from,
            (sum(u.kwh) * 1000000)::hugeint as micro_kwh,
            (max(u.peak_kw) * 1000000)::hugeint as micro_peak_kw
        from terms as t
        inner join curated.meter_daily as u
            on u.month = $month and t.contract_id = u.contract_id and u.reading_date between t.segment_from and t.segment_to
        group by t.contract_id, t.earlier_version, t.is_together, t.segment_from
    ),

    used as (
        select
            t.*,
            u.micro_kwh,
            u.micro_peak_kw
        from terms as t
        inner join usage as u
            on
                t.contract_id = u.contract_id
                and t.earlier_version = u.earlier_version
                and t.is_together = u.is_together
                and t.segment_from = u.segment_from
    ),

    charges as (
        select
            contract_id,
            earlier_version,
            is_together,
            segment_from,
            segment_to,
            replaced_by,
            'rack' as charge_type,
            micro_racks * days as quantity_numerator,
            days_in_month::hugeint as quantity_denominator,
            micro_rack_price as micro_price,
            micro_racks * days * micro_rack_price as numerator,
            10000000000::hugeint * days_in_month as denominator
        from terms
        union all
        select
            contract_id,
            earlier_version,
            is_together,
            segment_from,
            segment_to,
            replaced_by,
            'power',
            micro_kw * days,
            days_in_month::hugeint,
            micro_kw_price,
            micro_kw * days * micro_kw_price,
            10000000000::hugeint * days_in_month
        from terms
        union all
        select
            contract_id,
            earlier_version,
            is_together,
            segment_from,
            segment_to,
            replaced_by,
            'energy',
            micro_kwh * micro_uplift,
            1000000::hugeint,
            micro_energy_rate,
            micro_kwh * micro_uplift * micro_energy_rate,
            10000000000000000::hugeint
        from used
        where pricing_model = 'metered' and micro_energy_rate is not null
        union all
        -- Overage is charged once a month, on the first day of the highest excess.
        select
            contract_id,
            earlier_version,
            is_together,
            segment_from,
            segment_to,
            replaced_by,
            'overage',
            micro_peak_kw - micro_kw,
            1::hugeint,
            micro_overage_price,
            (micro_peak_kw - micro_kw) * micro_overage_price,
            10000000000::hugeint
        from used
        where micro_overage_price is not null and micro_peak_kw > micro_kw
        qualify
            row_number() over (
                partition by contract_id, earlier_version, is_together
                order by micro_peak_kw - micro_kw desc, segment_from
            ) = 1
        union all
        select
            contract_id,
            earlier_version,
            is_together,
            effective_from,
            effective_from,
            replaced_by,
            'one_time',
            1000000::hugeint,
            1::hugeint,
            one_time_fee_cents::hugeint * 10000,
            one_time_fee_cents::hugeint,
            1::hugeint
        from terms
        where one_time_fee_cents is not null and effective_from between segment_from and segment_to
    )

select
    v.row_key,
    c.segment_from,
    c.segment_to,
    c.earlier_version,
    c.is_together,
    c.replaced_by,
    ((c.quantity_numerator * 2 + c.quantity_denominator) // (c.quantity_denominator * 2))::bigint as micro_quantity,
    c.micro_price::bigint as micro_price,
    ((c.numerator * 2 + c.denominator) // (c.denominator * 2))::bigint as amount_cents
from charges as c
inner join varied as v on c.contract_id = v.contract_id and c.charge_type = v.charge_type
-- What rounds to 0 cents is no charge.
where c.numerator * 2 >= c.denominator
order by v.row_key, c.earlier_version, c.is_together, c.segment_from
