-- Dimensions that do not add up to the month, by tenant.
with
{% include 'checks/dimension_totals.sql.j2' %}

select * from differing order by tenant_id, dimension
