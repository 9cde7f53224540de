-- Files with rows of an unknown scope, the dearest first.
with
{% include 'checks/unknown_scopes.sql.j2' %}

select * from unknown_scopes order by abs(cost) desc, batch_id, file_name
