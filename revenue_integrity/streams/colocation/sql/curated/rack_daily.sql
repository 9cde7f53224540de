-- Racks contracted and assigned, one row per contract and day in force of the month.
with
    terms as (
        select contract_id, racks, segment_from, segment_to
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
        union all
        -- Every contract begins the month with no rack, so that each of its days has a level.
        select distinct contract_id, $month::date, 0, 0
        from terms
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
    ),

    -- Runs of days on which nothing changes. In key order, and so are the days that they become: whoever hashes or publishes
    -- the month then finds nothing left to sort.
    stretches as (
        select
            t.contract_id,
            t.racks as contracted_racks,
            l.racks as assigned_racks,
            l.rated_kw,
            greatest(t.segment_from, l.day) as from_day,
            least(t.segment_to, l.next_day - 1) as to_day
        from terms as t
        inner join levels as l on t.contract_id = l.contract_id and t.segment_from < l.next_day and t.segment_to >= l.day
        order by t.contract_id, from_day
    )

select
    $month::date as month,
    contract_id,
    unnest(generate_series(from_day, to_day, interval 1 day))::date as date,
    contracted_racks,
    assigned_racks::bigint as assigned_racks,
    rated_kw::decimal(18, 6) as rated_kw
from stretches
