with
{% include 'checks/bills_not_final.sql.j2' %}

select
    site_id,
    bill,
    total_cents as bill_cents,
    booked_cents
from standing
where not is_settled
order by abs(total_cents) desc, site_id
limit 20
