-- Charges of the billing period that name no invoice yet, by provider, the dearest first.
with
{% include 'recon/cloud_charges.sql.j2' %}

select
    provider,
    $month::date as billing_period,
    row_count as rows,
    cost
from charges
where invoice_id is null and provider not in (select provider from compared_in_total)
order by abs(cost) desc, provider
