-- What the contract says is owed, one row per contract, month, charge type and segment. Each amount is exact up to its one
-- rounding: prices and quantities are integers in millionths, and (2 n + d) // (2 d) rounds n / d half up (nothing is negative).
with
    terms as (
        select
            *,
            (rack_price::decimal(38, 6) * 1000000)::hugeint as micro_rack_price,
            (kw_price::decimal(38, 6) * 1000000)::hugeint as micro_kw_price,
            (energy_rate::decimal(38, 6) * 1000000)::hugeint as micro_energy_rate,
            (pue_uplift::decimal(38, 6) * 1000000)::hugeint as micro_uplift,
            (overage_price::decimal(38, 6) * 1000000)::hugeint as micro_overage_price,
            (reserved_kw::decimal(38, 6) * 1000000)::hugeint as micro_kw
        from curated.contract_terms
        where month = $month
    ),

    usage as (
        select contract_id, reading_date, kwh, peak_kw
        from curated.meter_daily
        where month = $month
    ),

    segment_kwh as (
        select
            t.contract_id,
            t.segment_from,
            (sum(u.kwh) * 1000000)::hugeint as micro_kwh
        from terms as t
        inner join usage as u on t.contract_id = u.contract_id and u.reading_date between t.segment_from and t.segment_to
        where t.pricing_model = 'metered' and t.micro_energy_rate is not null
        group by t.contract_id, t.segment_from
    ),

    -- The first day with the highest excess, among days with an overage price.
    overage_days as (
        select
            t.contract_id,
            u.reading_date,
            u.peak_kw - t.reserved_kw as excess_kw
        from terms as t
        inner join usage as u on t.contract_id = u.contract_id and u.reading_date between t.segment_from and t.segment_to
        where t.overage_price is not null and u.peak_kw > t.reserved_kw
        qualify row_number() over (partition by t.contract_id order by u.peak_kw - t.reserved_kw desc, u.reading_date) = 1
    ),

    fees as (
        select
            t.customer_id,
            t.contract_id,
            t.version,
            v.effective_from,
            v.one_time_fee_cents
        from raw.contract_versions as v
        inner join terms as t
            on v.contract_id = t.contract_id
            and v.version = t.version
            and v.effective_from between t.segment_from and t.segment_to
        where v.row_status = 'surviving' and v.one_time_fee_cents is not null
    ),

    charges as (
        select
            customer_id,
            contract_id,
            'rack' as charge_type,
            version,
            segment_from,
            segment_to,
            racks::hugeint * active_days * 1000000 as quantity_numerator,
            days_in_month::hugeint as quantity_denominator,
            rack_price as unit_price,
            racks::hugeint * micro_rack_price * active_days as numerator,
            10000::hugeint * days_in_month as denominator
        from terms
        union all
        select
            customer_id,
            contract_id,
            'power',
            version,
            segment_from,
            segment_to,
            micro_kw * active_days,
            days_in_month::hugeint,
            kw_price,
            micro_kw * micro_kw_price * active_days,
            10000000000::hugeint * days_in_month
        from terms
        union all
        select
            t.customer_id,
            t.contract_id,
            'energy',
            t.version,
            t.segment_from,
            t.segment_to,
            k.micro_kwh * t.micro_uplift,
            1000000::hugeint,
            t.energy_rate,
            k.micro_kwh * t.micro_uplift * t.micro_energy_rate,
            10000000000000000::hugeint
        from terms as t
        inner join segment_kwh as k on t.contract_id = k.contract_id and t.segment_from = k.segment_from
        union all
        select
            t.customer_id,
            t.contract_id,
            'overage',
            t.version,
            o.reading_date,
            o.reading_date,
            (o.excess_kw::decimal(38, 6) * 1000000)::hugeint,
            1::hugeint,
            t.overage_price,
            (o.excess_kw::decimal(38, 6) * 1000000)::hugeint * t.micro_overage_price,
            10000000000::hugeint
        from overage_days as o
        inner join terms as t on o.contract_id = t.contract_id and o.reading_date between t.segment_from and t.segment_to
        union all
        select
            customer_id,
            contract_id,
            'one_time',
            version,
            effective_from,
            effective_from,
            1000000::hugeint,
            1::hugeint,
            one_time_fee_cents::decimal(18, 0) * 0.01::decimal(3, 2),
            one_time_fee_cents::hugeint,
            1::hugeint
        from fees
    ),

    rounded as (
        select
            *,
            ((numerator * 2 + denominator) // (denominator * 2))::bigint as amount_cents,
            (quantity_numerator * 2 + quantity_denominator) // (quantity_denominator * 2) as micro_quantity
        from charges
        -- What rounds to 0 cents is no charge; to ask before dividing costs less than to ask the quotient.
        where numerator * 2 >= denominator
    )

select
    $month::date as month,
    customer_id,
    contract_id,
    charge_type,
    version,
    segment_from,
    segment_to,
    (micro_quantity::decimal(30, 0) * 0.000001::decimal(7, 6))::decimal(18, 6) as quantity,
    unit_price::decimal(18, 6) as unit_price,
    amount_cents
from rounded
-- Stored in key order: whoever hashes or publishes the month then finds nothing left to sort.
order by contract_id, charge_type, segment_from
