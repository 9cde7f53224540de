-- Energy and overage of the rows with a variance, recomputed with the readings that had arrived by the end (UTC) of the
-- latest invoice date among the row's lines; gap estimates are recomputed by the rules of meter_daily. A contract is looked
-- at once per such day: `contract@day` stands for the contract in the shared queries.
{% set first_day = "$month::date" -%}
{% set last_day = "$month_end::date" -%}
with
    billed as (
        select
            r.row_key,
            r.contract_id,
            r.charge_type,
            max(l.invoice_date) as known_on
        from recon.recon_results as r
        inner join curated.invoice_lines as l
            on
                r.contract_id = l.contract_id
                and r.charge_type = l.charge_type
                and r.customer_id = l.owner_id
                and l.month = $month
        where
            r.month = $month
            and r.recon = 'erp_vs_mart'
            and r.view = 'current'
            and r.variance_cents <> 0
            and r.charge_type in ('energy', 'overage')
        group by r.row_key, r.contract_id, r.charge_type
    ),

    worlds as (
        select distinct
            contract_id,
            known_on,
            (known_on + 1)::timestamp at time zone 'UTC' as known_before,
            contract_id || '@' || known_on as world
        from billed
    ),

    terms as (
        select
            w.world,
            t.*
        from curated.contract_terms as t
        inner join worlds as w on t.contract_id = w.contract_id
        where t.month = $month
    ),

    scope as (
        select world as contract_id from worlds
    ),

    segments as (
        select
            world as contract_id,
            site_id,
            reserved_kw,
            segment_from,
            segment_to
        from terms
    ),

    -- All that arrived for these contracts: three steps look at it, and the store, which holds every month, is read once.
    arrived as materialized (
        select *
        from raw.meter_readings
        where reading_date <= {{ last_day }} and contract_id in (select contract_id from worlds)
    ),

    -- The winner of each meter-day among what had arrived: a final substitution beats an actual, that an estimate, then the
    -- later row wins.
    known as (
        select
            w.world,
            r.*
        from arrived as r
        inner join worlds as w on r.contract_id = w.contract_id and r.arrival < w.known_before
        where r.reading_date between {{ first_day }} - $lookback_days::integer and {{ last_day }}
        qualify
            row_number() over (
                partition by w.world, r.meter_id, r.reading_date
                order by
                    case r.read_type when 'final' then 2 when 'actual' then 1 else 0 end desc,
                    r.arrival desc, r.file_name desc, r.row_number desc
            ) = 1
    ),

    readings as (
        select
            meter_id,
            world as contract_id,
            reading_date,
            kwh,
            peak_kw,
            case when read_type = 'estimated' then 'estimated' else 'actual' end as read_type,
            false as is_late
        from known
    ),

    starts as (
        select
            r.meter_id,
            w.world as contract_id,
            min(r.reading_date) as first_day
        from arrived as r
        inner join worlds as w on r.contract_id = w.contract_id and r.arrival < w.known_before
        where r.reading_date <= {{ last_day }}
        group by r.meter_id, w.world
    ),

{% include 'curated/usage.sql.j2' %},

    segment_kwh as (
        select
            t.world,
            t.segment_from,
            (sum(u.kwh) * 1000000)::hugeint as micro_kwh,
            any_value((t.pue_uplift::decimal(38, 6) * 1000000)::hugeint) as micro_uplift,
            any_value((t.energy_rate::decimal(38, 6) * 1000000)::hugeint) as micro_rate
        from terms as t
        inner join usage as u on t.world = u.contract_id and u.day between t.segment_from and t.segment_to
        where t.pricing_model = 'metered' and t.energy_rate is not null
        group by t.world, t.segment_from
    ),

    overage_days as (
        select
            t.world,
            ((u.peak_kw - t.reserved_kw) * 1000000)::hugeint * (t.overage_price::decimal(38, 6) * 1000000)::hugeint as nano
        from terms as t
        inner join usage as u on t.world = u.contract_id and u.day between t.segment_from and t.segment_to
        where t.overage_price is not null and u.peak_kw > t.reserved_kw
        qualify row_number() over (partition by t.world order by u.peak_kw - t.reserved_kw desc, u.day) = 1
    ),

    charges as (
        select
            world,
            'energy' as charge_type,
            sum(
                (micro_kwh * micro_uplift * micro_rate * 2 + 10000000000000000::hugeint) // 20000000000000000::hugeint
            )::bigint as amount_cents
        from segment_kwh
        group by world
        union all
        select
            world,
            'overage',
            ((nano * 2 + 10000000000) // 20000000000)::bigint
        from overage_days
    ),

    -- Meter-days of the month whose winner has changed since.
    winners as (
        select
            w.world,
            r.*
        from arrived as r
        inner join worlds as w on r.contract_id = w.contract_id
        where r.row_status = 'surviving' and r.reading_date between {{ first_day }} and {{ last_day }}
    ),

    changed as (
        select
            coalesce(k.world, n.world) as world,
            coalesce(k.meter_id, n.meter_id) as meter_id,
            coalesce(k.reading_date, n.reading_date) as reading_date,
            k.read_type as type_then,
            k.kwh as kwh_then,
            k.peak_kw as peak_then,
            n.read_type as type_now,
            n.kwh as kwh_now,
            n.peak_kw as peak_now
        from (select * from known where reading_date between {{ first_day }} and {{ last_day }}) as k
        full join winners as n on k.world = n.world and k.meter_id = n.meter_id and k.reading_date = n.reading_date
        where
            k.meter_id is null
            or n.meter_id is null
            or (k.read_type, k.kwh, k.peak_kw, k.arrival) is distinct from (n.read_type, n.kwh, n.peak_kw, n.arrival)
    ),

    changes as (
        select
            world,
            count(*) as changed_days,
            count(*) filter (where type_then = 'estimated') as changed_estimates,
            to_json(list({
                'meter_id': meter_id,
                'reading_date': reading_date::varchar,
                'then': coalesce(type_then, 'none'),
                'kwh_then': kwh_then::varchar,
                'peak_kw_then': peak_then::varchar,
                'now': coalesce(type_now, 'none'),
                'kwh_now': kwh_now::varchar,
                'peak_kw_now': peak_now::varchar
            } order by reading_date, meter_id))::varchar as readings
        from changed
        group by world
    )

select
    b.row_key,
    b.known_on,
    coalesce(c.amount_cents, 0) as amount_cents,
    coalesce(d.changed_days, 0) as changed_days,
    coalesce(d.changed_estimates, 0) as changed_estimates,
    coalesce(d.readings, '[]') as readings
from billed as b
inner join worlds as w on b.contract_id = w.contract_id and b.known_on = w.known_on
left join charges as c on w.world = c.world and b.charge_type = c.charge_type
left join changes as d on w.world = d.world
order by b.row_key
