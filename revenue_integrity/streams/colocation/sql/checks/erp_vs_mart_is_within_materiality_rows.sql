{% set recon = "'erp_vs_mart'" %}
{% include 'checks/causes_within_materiality_rows.sql.j2' %}
