-- Deal lines of a large seller, two to a deal, of thirty-six equal months each, begun over the three years up to the month.
create table lines as
select
    i,
    i // 2 as deal,
    1 + i % 2 as line_no,
    (i // 2) % (getvariable('lines') // 10 + 1) as customer,
    36 as months,
    1 + i % 36 as number,
    (getvariable('month') - to_months((i % 36)::integer))::date as start_date,
    100000 + (i * 7919) % 4900000 as amount
from range(getvariable('lines')) as r (i);

-- What is due up to a month is rounded half away from zero, and months are the differences.
create table dues as
select
    *,
    (2 * amount * number + months) // (2 * months) - (2 * amount * (number - 1) + months) // (2 * months) as due,
    (2 * amount * (number - 1) + months) // (2 * months) as due_before
from lines;

-- Each line's month is booked in three entries, no two alike; one line in fifty is booked wrongly: its third entry twice, not at
-- all, or tenfold.
create table entries as
select
    format('E-{:08d}-{}', d.i, p.part) as entry_id,
    d.deal,
    d.line_no,
    d.i,
    case p.part when 1 then d.due // 2 when 2 then d.due // 3 else d.due - d.due // 2 - d.due // 3 end
    * if(d.i % 50 = 7 and d.i % 3 = 2, 10, 1) as cents
from dues as d
cross join (values (1), (2), (3)) as p (part)
where not (d.i % 50 = 7 and d.i % 3 = 1)
union all
select
    format('E-{:08d}-again', d.i) as entry_id,
    d.deal,
    d.line_no,
    d.i,
    d.due - d.due // 2 - d.due // 3 as cents
from dues as d
where d.i % 50 = 7 and d.i % 3 = 0;
