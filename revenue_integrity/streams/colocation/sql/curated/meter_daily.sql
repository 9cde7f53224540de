-- Metered usage, exactly one row per contract and local day in force of the month; gaps are estimated.
{% set first_day = "$month::date" -%}
{% set last_day = "$month_end::date" -%}
-- All contracts are in scope, and no reading of an unknown one is accepted: there is nothing to look up for each of them.
{% set in_scope = "true" -%}
with
    scope as (
        select distinct contract_id from raw.contract_versions
    ),

{% include 'curated/segments.sql.j2' %},

{% include 'curated/readings.sql.j2' %},

{% include 'curated/usage.sql.j2' %}

select
    $month::date as month,
    contract_id,
    day as reading_date,
    kwh,
    peak_kw,
    n_meters,
    estimated_kwh,
    is_estimated,
    is_late,
    is_suspect
from usage
-- Stored in key order: whoever hashes or publishes the month then finds nothing left to sort.
order by contract_id, reading_date
