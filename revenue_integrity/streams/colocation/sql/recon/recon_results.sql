-- The two sides of every reconciliation of the month; the shared engine compares them.
{% set first_day = "(select min(month) from basis)" -%}
{% set last_day = "($month::date - 1)" -%}
with
    -- A reconciliation is absent where a source that it needs has never delivered.
    delivered as (
        select distinct source from meta.batches where stream = 'colocation' and status <> 'rejected'
    ),

    views as (
        select unnest(['as_of_close', 'current']) as view
    ),

    -- ERP lines; the contract of a mapped line knows its customer even where the ERP code names several.
    owners as (
        select
            contract_id,
            any_value(customer_id) as customer_id
        from raw.contract_versions
        where row_status = 'surviving'
        group by contract_id
    ),

    erp_lines as (
        select
            coalesce(l.customer_id, o.customer_id) as customer_id,
            l.contract_id,
            l.charge_type,
            coalesce(sum(l.amount_cents) filter (where not l.late), 0) as as_of_close_cents,
            sum(l.amount_cents) as current_cents,
            (count(*) filter (where not l.late) > 0)::bigint as is_billed_by_close
        from curated.invoice_lines as l
        left join owners as o on l.contract_id = o.contract_id
        where l.month = $month
        group by all
    ),

    due as (
        select
            customer_id,
            contract_id,
            charge_type,
            sum(amount_cents) as due_cents
        from mart.expected_charges
        where month = $month
        group by all
    ),

    erp_vs_mart as (
        select
            coalesce(l.customer_id, d.customer_id) as customer_id,
            coalesce(l.contract_id, d.contract_id) as contract_id,
            coalesce(l.charge_type, d.charge_type) as charge_type,
            coalesce(l.as_of_close_cents, 0) as as_of_close_cents,
            coalesce(l.current_cents, 0) as current_cents,
            coalesce(d.due_cents, 0) as due_cents
        from erp_lines as l
        full join due as d on l.contract_id = d.contract_id and l.charge_type = d.charge_type and l.customer_id = d.customer_id
        where 'erp_invoices' in (select source from delivered)
    ),

    billed_contracts as (
        select
            customer_id,
            contract_id,
            max(is_billed_by_close) as is_billed_by_close
        from erp_lines
        where contract_id is not null
        group by all
    ),

    population as (
        select
            coalesce(b.customer_id, d.customer_id) as customer_id,
            coalesce(b.contract_id, d.contract_id) as contract_id,
            coalesce(b.is_billed_by_close, 0) as is_billed_by_close,
            (b.contract_id is not null)::bigint as is_billed,
            (d.contract_id is not null)::bigint as is_due
        from billed_contracts as b
        full join (select distinct customer_id, contract_id from due) as d
            on b.contract_id = d.contract_id and b.customer_id = d.customer_id
        where 'erp_invoices' in (select source from delivered)
    ),

    -- Power: bills, their allocation, and what accounting booked.
    bills as (
        select
            site_id,
            unnest(['energy', 'demand', 'fixed', 'tax']) as charge_type,
            unnest([energy_cents, demand_cents, fixed_cents, tax_cents]) as billed_cents
        from curated.power_bills
        where month = $month and 'power_bills' in (select source from delivered)
    ),

    allocated as (
        select
            site_id,
            charge as charge_type,
            sum(amount_cents) as allocated_cents
        from mart.power_allocation
        where month = $month
        group by all
    ),

    power_bill_vs_allocated as (
        select
            coalesce(b.site_id, a.site_id) as site_id,
            coalesce(b.charge_type, a.charge_type) as charge_type,
            coalesce(b.billed_cents, 0) as billed_cents,
            coalesce(a.allocated_cents, 0) as allocated_cents
        from bills as b
        full join allocated as a on b.site_id = a.site_id and b.charge_type = a.charge_type
        where 'power_bills' in (select source from delivered)
    ),

    booked as (
        select
            site_id,
            coalesce(sum(amount_cents) filter (where posted_at <= $cutoff), 0) as as_of_close_cents,
            sum(amount_cents) as current_cents
        from raw.erp_power_costs
        where month = $month and row_status = 'surviving'
        group by site_id
    ),

    erp_vs_allocated_power as (
        select
            coalesce(b.site_id, a.site_id) as site_id,
            coalesce(b.as_of_close_cents, 0) as as_of_close_cents,
            coalesce(b.current_cents, 0) as current_cents,
            coalesce(a.allocated_cents, 0) as allocated_cents
        from booked as b
        full join (
            select
                site_id,
                sum(allocated_cents) as allocated_cents
            from allocated
            group by site_id
        ) as a on b.site_id = a.site_id
        where 'erp_power_costs' in (select source from delivered)
    ),

    -- MRR: run-rates at the end of the month before, from contract versions, plus the movements.
    in_force_before as (
        select * from raw.contract_versions
        where
            row_status = 'surviving'
            and effective_from < $month
            and coalesce(effective_to, $month) >= $month::date - 1
        qualify row_number() over (partition by contract_id order by version desc) = 1
    ),

    closing_before as (
        select
            customer_id,
            sum(
                (racks::hugeint * (rack_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000) // 20000
                + (
                    (reserved_kw::decimal(38, 6) * 1000000)::hugeint
                    * (kw_price::decimal(38, 6) * 1000000)::hugeint * 2 + 10000000000
                ) // 20000000000
            ) as mrr_cents
        from in_force_before
        where status = 'active'
        group by customer_id
    ),

    movements as (
        select
            customer_id,
            new_cents + reactivation_cents + expansion_cents - contraction_cents - churn_cents as moved_cents
        from mart.mrr_movements
        where month = $month
    ),

    run_rates as (
        select
            customer_id,
            sum(mrr_cents) as mrr_cents
        from mart.contract_month
        where month = $month
        group by customer_id
    ),

    mrr_bridge as (
        select
            customer_id,
            coalesce(any_value(r.mrr_cents), 0) as mrr_cents,
            coalesce(any_value(c.mrr_cents), 0) + coalesce(any_value(m.moved_cents), 0) as bridged_cents
        from run_rates as r
        full join closing_before as c using (customer_id)
        full join movements as m using (customer_id)
        group by customer_id
    ),

    -- Energy: this month's metered kWh times billed over metered kWh of the latest earlier months with a final bill.
    basis as (
        select
            b.site_id,
            b.month,
            b.kwh
        from raw.power_bills as b
        where
            b.row_status = 'surviving'
            and b.status = 'final'
            and b.month < $month
            and b.site_id in (select site_id from curated.power_bills where month = $month and not is_accrued)
        qualify row_number() over (partition by b.site_id order by b.month desc) <= $accrual_months
    ),

{% include 'curated/metered_basis.sql.j2' %},

    basis_sums as (
        select
            b.site_id,
            (sum(b.kwh) * 1000000)::hugeint as billed_micro_kwh,
            (sum(coalesce(m.kwh, 0)) * 1000000)::hugeint as metered_micro_kwh
        from basis as b
        left join metered_before as m on b.site_id = m.site_id and b.month = m.month
        group by b.site_id
    ),

    metered_now as (
        select
            t.site_id,
            (sum(m.kwh) * 1000000)::hugeint as micro_kwh
        from curated.meter_daily as m
        inner join (select distinct contract_id, site_id from curated.contract_terms where month = $month) as t
            on m.contract_id = t.contract_id
        where m.month = $month
        group by t.site_id
    ),

    -- Rounded once to whole Wh; a Wh is a thousand millionths of a kWh.
    metered_vs_billed_kwh as (
        select
            b.site_id,
            (((b.kwh::decimal(38, 6) * 1000000)::hugeint * 2 + 1000) // 2000)::bigint as billed_wh,
            (
                (coalesce(n.micro_kwh, 0) * s.billed_micro_kwh * 2 + s.metered_micro_kwh * 1000)
                // (s.metered_micro_kwh * 2000)
            )::bigint as expected_wh
        from curated.power_bills as b
        inner join basis_sums as s on b.site_id = s.site_id
        left join metered_now as n on b.site_id = n.site_id
        where b.month = $month and not b.is_accrued and s.metered_micro_kwh > 0
    ),

    sides as (
        select
            'erp_vs_mart' as recon,
            v.view,
            e.customer_id,
            e.contract_id,
            null as site_id,
            e.charge_type,
            'cents' as unit,
            case v.view when 'current' then e.current_cents else e.as_of_close_cents end as left_amount,
            e.due_cents as right_amount
        from erp_vs_mart as e
        cross join views as v
        union all
        select
            'population',
            v.view,
            p.customer_id,
            p.contract_id,
            null,
            null,
            'count',
            case v.view when 'current' then p.is_billed else p.is_billed_by_close end,
            p.is_due
        from population as p
        cross join views as v
        union all
        select
            'power_bill_vs_allocated',
            'current',
            null,
            null,
            site_id,
            charge_type,
            'cents',
            billed_cents,
            allocated_cents
        from power_bill_vs_allocated
        union all
        select
            'erp_vs_allocated_power',
            v.view,
            null,
            null,
            e.site_id,
            null,
            'cents',
            case v.view when 'current' then e.current_cents else e.as_of_close_cents end,
            e.allocated_cents
        from erp_vs_allocated_power as e
        cross join views as v
        union all
        select
            'mrr_bridge',
            'current',
            customer_id,
            null,
            null,
            null,
            'cents',
            mrr_cents,
            bridged_cents
        from mrr_bridge
        union all
        select
            'metered_vs_billed_kwh',
            'current',
            null,
            null,
            site_id,
            null,
            'wh',
            billed_wh,
            expected_wh
        from metered_vs_billed_kwh
    ),

    tolerances as (
        select
            unnest([
                'erp_vs_mart', 'erp_vs_allocated_power', 'population', 'power_bill_vs_allocated', 'mrr_bridge',
                'metered_vs_billed_kwh'
            ]) as recon,
            unnest([$tolerance_cents::bigint, $tolerance_cents::bigint, null, null, null, null]) as tolerance_amount,
            unnest([
                $tolerance_share::decimal(18, 6), $tolerance_share::decimal(18, 6), null, null, null,
                $kwh_tolerance_share::decimal(18, 6)
            ]) as tolerance_share
    ),

{% include 'reconcile.sql.j2' %}
