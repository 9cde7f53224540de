-- One sale in each row: nested products, days in three notations, discounts in three, one row in two hundred refused, one in a
-- hundred sent again as it was.
create table sales as
select
    i,
    format('T-{:08d}', i) as transaction_id,
    i * 7919 % (getvariable('transactions') // 20 + 1) as customer,
    i * 104729 % 2000 as product,
    ['North', 'South', 'East', 'West', 'Centre'][1 + i % 5] as region,
    1 + i * 31 % 9 as quantity,
    199 + i * 7919 % 49800 as price_cents,
    i * 13 % 4 * 5 as percent,
    1 + i * 31 // getvariable('transactions') as day
from range(getvariable('transactions')) as r (i);

create table sent as
select
    s.*,
    ['Electronics', 'Furniture', 'Garden', 'Books'][1 + product % 4] as category,
    make_date(year(getvariable('month')), month(getvariable('month')), day) as sold_on,
    i % 200 = 77 as is_refused,
    if(i % 200 = 77, -quantity, quantity) as sent_quantity
from sales as s;
