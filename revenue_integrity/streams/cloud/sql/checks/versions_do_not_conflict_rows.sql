-- Events of the month with versions that conflict, those with most cost in question first.
with
{% include 'checks/conflicting_versions.sql.j2' %}

select * from conflicts order by highest_cost - lowest_cost desc, tenant_id, event_id, ingested_at
