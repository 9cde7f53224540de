{% set recon = "'erp_vs_allocated_power'" %}
{% set base_table = "mart.power_allocation" %}
{% set base_name = "power_cost_cents" %}
{% include 'checks/causes_within_materiality.sql.j2' %}
