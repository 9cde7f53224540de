{% set which = "month = $month and contract_id is null" %}
{% include 'checks/lines_within_materiality_rows.sql.j2' %}
