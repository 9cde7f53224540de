with
{% include 'checks/bills_not_final.sql.j2' %}

select
    count(*) filter (where not is_settled) = 0 as passed,
    count(*) as sites,
    count(*) filter (where not is_final) as sites_without_final_bill,
    count(*) filter (where not is_settled) as sites_in_the_way
from standing
