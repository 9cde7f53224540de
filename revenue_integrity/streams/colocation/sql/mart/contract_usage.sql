-- Days, usage and run-rate per contract with service in the month.
with
    terms as (
        select * from curated.contract_terms where month = $month
    ),

    contracts as (
        select
            contract_id,
            any_value(customer_id) as customer_id,
            any_value(site_id) as site_id,
            sum(active_days)::bigint as active_days,
            sum(racks * active_days)::bigint as rack_days,
            sum(reserved_kw * active_days)::decimal(18, 6) as reserved_kw_days
        from terms
        group by contract_id
    ),

    usage as (
        select
            contract_id,
            sum(kwh) as used_kwh,
            sum(kwh::decimal(19, 6) * kwh::decimal(19, 6)) as squared_kwh,
            max(peak_kw) as peak_kw,
            sum(estimated_kwh) as estimated_kwh,
            bool_or(is_estimated) as has_estimates,
            bool_or(is_late) as has_late_reads
        from curated.meter_daily
        where month = $month
        group by contract_id
    ),

    assigned as (
        select
            contract_id,
            sum(assigned_racks)::bigint as assigned_rack_days
        from curated.rack_daily
        where month = $month
        group by contract_id
    ),

    amended as (
        select distinct contract_id
        from raw.contract_versions
        where row_status = 'surviving' and amendment_type <> 'new' and effective_from between $month and $month_end
    ),

    run_rates as (
        select
            contract_id,
            (
                (racks::hugeint * (rack_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000) // 20000
                + (
                    (reserved_kw::decimal(38, 6) * 1000000)::hugeint
                    * (kw_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000000000
                ) // 20000000000
            )::bigint as mrr_cents
        from terms
        where segment_to = $month_end
    )

select
    $month::date as month,
    c.contract_id,
    c.customer_id,
    c.site_id,
    c.active_days,
    c.rack_days,
    c.reserved_kw_days,
    a.assigned_rack_days,
    u.used_kwh::decimal(18, 6) as used_kwh,
    u.squared_kwh::decimal(38, 12) as squared_kwh,
    u.peak_kw,
    u.estimated_kwh::decimal(18, 6) as estimated_kwh,
    u.has_estimates,
    u.has_late_reads,
    d.contract_id is not null as amended_in_month,
    coalesce(r.mrr_cents, 0) as mrr_cents
from contracts as c
inner join usage as u on c.contract_id = u.contract_id
inner join assigned as a on c.contract_id = a.contract_id
left join amended as d on c.contract_id = d.contract_id
left join run_rates as r on c.contract_id = r.contract_id
