{% set recon = "'erp_vs_mart'" %}
{% set base_table = "mart.expected_charges" %}
{% set base_name = "expected_revenue_cents" %}
{% include 'checks/causes_within_materiality.sql.j2' %}
