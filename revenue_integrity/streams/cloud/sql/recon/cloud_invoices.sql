-- What was charged and what was invoiced, one row per provider, billing period and invoice.
with
{% include 'recon/cloud_charges.sql.j2' %},

    by_invoice as (
        select
            coalesce(c.provider, i.provider) as provider,
            $month::date as billing_period,
            coalesce(c.invoice_id, i.invoice_id) as invoice_id,
            coalesce(c.cost, 0) as left_current,
            coalesce(i.amount, 0) as right_amount,
            coalesce(c.row_count, 0) as charged_rows,
            (i.invoice_id is not null)::bigint as invoiced_rows
        from (
            select *
            from charges
            where invoice_id is not null
        ) as c
        full join invoices as i on c.provider = i.provider and c.invoice_id = i.invoice_id
        where c.invoice_id is not null or i.provider not in (select provider from compared_in_total)
    ),

    in_total as (
        select
            u.provider,
            $month::date as billing_period,
            case when u.invoices = 1 then u.invoice_id end as invoice_id,
            c.cost as left_current,
            u.amount as right_amount,
            c.row_count as charged_rows,
            u.invoices as invoiced_rows
        from unnamed as u
        inner join charges as c on u.provider = c.provider and c.invoice_id is null
    )

select * from by_invoice
union all
select * from in_total
