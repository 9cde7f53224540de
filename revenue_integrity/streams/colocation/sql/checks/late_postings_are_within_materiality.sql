{% set which = "month = $month and late" %}
{% include 'checks/lines_within_materiality.sql.j2' %}
