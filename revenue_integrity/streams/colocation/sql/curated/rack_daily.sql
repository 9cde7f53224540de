-- Racks contracted and assigned, one row per contract and day in force of the month.
with
    days as (
        select
            contract_id,
            racks,
            unnest(generate_series(segment_from, segment_to, interval 1 day))::date as date
        from curated.contract_terms
        where month = $month
    ),

    -- Only the days on which the assigned racks change need a look; a running sum tells every other day.
    assignments as (
        select
            contract_id,
            greatest(installed_on, $month::date) as from_day,
            least(coalesce(removed_on, $month_end::date), $month_end::date) as to_day,
            rated_kw
        from raw.rack_assignments
        where
            row_status = 'surviving'
            and installed_on <= $month_end
            and coalesce(removed_on, $month_end) >= $month
    ),

    changes as (
        select contract_id, from_day as day, count(*) as racks, sum(rated_kw) as rated_kw
        from assignments
        group by contract_id, from_day
        union all
        select contract_id, to_day + 1, -count(*), -sum(rated_kw)
        from assignments
        group by contract_id, to_day
    ),

    levels as (
        select
            contract_id,
            day,
            sum(sum(racks)) over (partition by contract_id order by day) as racks,
            sum(sum(rated_kw)) over (partition by contract_id order by day) as rated_kw,
            lead(day, 1, $month_end::date + 1) over (partition by contract_id order by day) as next_day
        from changes
        group by contract_id, day
    )

select
    $month::date as month,
    d.contract_id,
    d.date,
    d.racks as contracted_racks,
    coalesce(l.racks, 0)::bigint as assigned_racks,
    coalesce(l.rated_kw, 0)::decimal(18, 6) as rated_kw
from days as d
left join levels as l on d.contract_id = l.contract_id and d.date >= l.day and d.date < l.next_day
-- Stored in key order: whoever hashes or publishes the month then finds nothing left to sort.
order by d.contract_id, d.date
