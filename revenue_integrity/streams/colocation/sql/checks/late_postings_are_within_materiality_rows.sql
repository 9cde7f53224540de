{% set which = "month = $month and late" %}
{% include 'checks/lines_within_materiality_rows.sql.j2' %}
