-- One month of a large operator: contracts, readings, what is due, and invoice lines of which a share is wrong.
-- Variables: contracts, sites, month, days (of the month), wrong_share. Numbers are drawn by hashing, so that they are the
-- same each time and in any order of rows.

create macro draw(number, salt) as (hash(number * 1000003 + salt) >> 11)::double / (1::ubigint << 53)::double;

create table contracts as
select
    i,
    format('C-{:06d}', i) as contract_id,
    i * 2 // 5 as customer,
    format('S-{:02d}', i % getvariable('sites')) as site_id,
    draw(i, 1) < 0.6 as metered,
    1 + floor(draw(i, 2) * 4)::integer as racks,
    (1 + floor(draw(i, 2) * 4)::integer) * (3 + floor(draw(i, 3) * 9)::integer) as reserved_kw,
    (60000 + floor(draw(i, 4) * 90000))::bigint as rack_price_cents,
    (12000 + floor(draw(i, 5) * 8000))::bigint as kw_price_cents,
    ((80000 + floor(draw(i, 6) * 100000))::bigint * 0.000001)::decimal(18, 6) as energy_rate,
    ((120 + floor(draw(i, 7) * 40))::bigint * 0.01)::decimal(18, 2) as pue_uplift,
    -- One contract in ten gets a rack more within the month, so that there is something to prorate.
    if(draw(i, 8) < 0.1, getvariable('month') + 1 + floor(draw(i, 9) * 28)::integer, null) as upsell_on
from range(getvariable('contracts')) as numbers (i);

create table readings as
select
    i,
    format('M-{:06d}', i) as meter_id,
    contract_id,
    site_id,
    getvariable('month') + day::integer as reading_date,
    (reserved_kw * 24 * (0.35 + 0.4 * draw(i * 40 + day, 11)))::decimal(18, 3) as kwh,
    (reserved_kw * (0.80 + 0.19 * draw(i * 40 + day, 12)))::decimal(18, 3) as peak_kw
from contracts
cross join range(getvariable('days')) as days (day);

-- Each segment is a charge of its own, rounded to a cent for itself.
create table due as
with segments as (
    select *, racks as segment_racks, coalesce(upsell_on - getvariable('month'), getvariable('days')) as active_days
    from contracts
    union all
    select *, racks + 1, getvariable('days') - (upsell_on - getvariable('month'))
    from contracts
    where upsell_on is not null
),

energy as (
    select
        i,
        (sum(kwh) filter (where reading_date < coalesce(upsell_on, reading_date + 1)) * pue_uplift)::decimal(18, 5) as before,
        (coalesce(sum(kwh) filter (where reading_date >= upsell_on), 0) * pue_uplift)::decimal(18, 5) as after,
        energy_rate
    from readings
    inner join contracts using (i)
    where metered
    group by i, pue_uplift, energy_rate
)

select
    i,
    'rack' as charge_type,
    sum(segment_racks * active_days / getvariable('days'))::decimal(18, 6) as quantity,
    any_value(rack_price_cents * 0.01)::decimal(18, 6) as unit_price,
    sum((2 * segment_racks * rack_price_cents * active_days + getvariable('days')) // (2 * getvariable('days')))::bigint as cents
from segments
group by i
union all
select
    i,
    'power',
    any_value(reserved_kw),
    any_value(kw_price_cents * 0.01),
    sum((2 * reserved_kw * kw_price_cents * active_days + getvariable('days')) // (2 * getvariable('days')))::bigint
from segments
group by i
union all
select i, 'energy', before + after, energy_rate, (100 * (round(before * energy_rate, 2) + round(after * energy_rate, 2)))::bigint
from energy;

create table lines as
with billed as (
    select *, 1 as part from due
    union all
    -- An all-in contract has its racks on two lines, so that every contract has three.
    select due.*, 2 from due inner join contracts using (i) where charge_type = 'rack' and not metered
),

drawn as (
    select
        billed.i,
        charge_type,
        if(not metered and charge_type = 'rack', quantity / 2, quantity)::decimal(18, 6) as quantity,
        unit_price,
        case when metered or charge_type <> 'rack' then cents when part = 1 then cents // 2 else cents - cents // 2 end as cents,
        case charge_type when 'power' then 2 when 'energy' then 3 else if(part = 2, 3, 1) end as line_no,
        -- Both halves of a charge are right, or both are wrong.
        draw(billed.i * 4 + case charge_type when 'power' then 1 when 'energy' then 2 else 0 end, 21)
            / getvariable('wrong_share') as lot
    from billed
    inner join contracts using (i)
),

wrong as (
    select
        *,
        case
            when lot >= 1 then 'right'
            when lot < 0.20 then 'price'
            when lot < 0.40 then 'quantity'
            when lot < 0.55 then 'unbilled'
            when lot < 0.65 then 'duplicate'
            when lot < 0.75 then 'credit'
            when lot < 0.85 then 'unmapped'
            when lot < 0.95 then 'late'
            else 'not_due'
        end as kind
    from drawn
),

posted as (
    select
        format('INV-{:06d}', i) as document_id,
        line_no,
        'invoice' as document_type,
        i,
        charge_type,
        if(kind = 'quantity', quantity * 1.1, quantity)::decimal(18, 6) as quantity,
        if(kind = 'price', unit_price * 1.04, unit_price)::decimal(18, 6) as unit_price,
        case kind when 'price' then cents * 104 // 100 when 'quantity' then cents * 110 // 100 else cents end as cents,
        null::varchar as corrects_document_id,
        kind
    from wrong
    where kind <> 'unbilled'
)

select * from posted
union all
select 'DUP-' || document_id, line_no, 'invoice', i, charge_type, quantity, unit_price, cents, null, kind
from posted
where kind = 'duplicate'
union all
select 'CRM-' || document_id, line_no, 'credit_memo', i, charge_type, -1, cents // 10 * 0.01, -(cents // 10), document_id, kind
from posted
where kind = 'credit'
union all
select 'OTH-' || document_id, line_no, 'invoice', i, 'other', 1, 75, 7500, null, kind
from posted
where kind = 'not_due';
