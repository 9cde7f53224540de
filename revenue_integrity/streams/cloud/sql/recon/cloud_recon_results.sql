-- What was charged against what was invoiced, one row per provider, billing period and invoice; the shared engine compares them.
{% set grain = ['provider', 'billing_period', 'invoice_id'] -%}
{% set amount_places = 12 -%}
{% set carried = ['charged_rows', 'invoiced_rows'] -%}
{% set explanation -%}
case
        when variance = 0 then 'Charges and invoice agree.'
        when status = 'within_tolerance' then 'The difference is within the tolerance.'
        when invoiced_rows = 0
            then 'Charges name this invoice, and no invoice of the period covers them: ask the provider for it.'
        when charged_rows = 0 then 'The invoice has no charges: land the export that carries them, or dispute the invoice.'
        when variance < 0
            then 'More is invoiced than was charged: look for charges that are missing or stand under another invoice.'
        else 'More was charged than is invoiced: look for charges counted twice, or for a credit that is missing.'
    end
{%- endset -%}
with
    -- The reconciliation is absent where invoices have never been delivered.
    delivered as (
        select distinct source from meta.batches where stream = 'cloud' and status <> 'rejected'
    ),

{% include 'recon/cloud_charges.sql.j2' %},

    by_invoice as (
        select
            coalesce(c.provider, i.provider) as provider,
            $month::date as billing_period,
            coalesce(c.invoice_id, i.invoice_id) as invoice_id,
            coalesce(c.cost, 0) as charged,
            coalesce(i.amount, 0) as invoiced,
            coalesce(c.row_count, 0) as charged_rows,
            (i.invoice_id is not null)::bigint as invoiced_rows
        from (
            select *
            from charges
            where invoice_id is not null
        ) as c
        full join (
            select *
            from invoices
            where provider not in (select provider from compared_in_total)
        ) as i on c.provider = i.provider and c.invoice_id = i.invoice_id
    ),

    in_total as (
        select
            i.provider,
            $month::date as billing_period,
            case when i.invoices = 1 then i.invoice_id end as invoice_id,
            c.cost as charged,
            i.amount as invoiced,
            c.row_count as charged_rows,
            i.invoices as invoiced_rows
        from (
            select
                provider,
                count(*) as invoices,
                min(invoice_id) as invoice_id,
                sum(amount) as amount
            from invoices
            group by provider
        ) as i
        inner join charges as c on i.provider = c.provider and c.invoice_id is null
        where i.provider in (select provider from compared_in_total)
    ),

    both_kinds as (
        select * from by_invoice
        union all
        select * from in_total
    ),

    sides as (
        select
            'cloud_invoices' as recon,
            'current' as view,
            provider,
            billing_period,
            invoice_id,
            $unit as unit,
            charged as left_amount,
            invoiced as right_amount,
            charged_rows,
            invoiced_rows
        from both_kinds
        where 'cloud_invoices' in (select source from delivered)
    ),

    tolerances as (
        select
            'cloud_invoices' as recon,
            $invoice_tolerance::decimal(38, 12) as tolerance_amount,
            null::decimal(18, 6) as tolerance_share
    ),

{% include 'reconcile.sql.j2' %}
