-- One row per contract, month and segment of days with one version in force; terminated versions give no service.
{% set first_day = "$month::date" -%}
{% set last_day = "$month_end::date" -%}
with
    scope as (
        select distinct contract_id from raw.contract_versions
    ),

{% include 'curated/segments.sql.j2' %}

select
    $month::date as month,
    contract_id,
    segment_from,
    segment_to,
    version,
    customer_id,
    site_id,
    pricing_model,
    racks,
    reserved_kw,
    rack_price,
    kw_price,
    energy_rate,
    pue_uplift,
    overage_price,
    segment_to - segment_from + 1 as active_days,
    day({{ last_day }}) as days_in_month
from segments
