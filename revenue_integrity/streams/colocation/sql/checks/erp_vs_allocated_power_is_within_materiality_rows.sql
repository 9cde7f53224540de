{% set recon = "'erp_vs_allocated_power'" %}
{% include 'checks/causes_within_materiality_rows.sql.j2' %}
