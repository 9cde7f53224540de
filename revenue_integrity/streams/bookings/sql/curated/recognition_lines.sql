-- Entries of the month with the deal line and customer that each resolves to.
with
{% include 'curated/closes.sql.j2' %},

    entries as (
        select * from raw.bookings_recognition_entries where month = $month and row_status = 'surviving'
    ),

{% include 'curated/entry_lines.sql.j2' %},

    due_of_type as (
        select deal_id, revenue_type, count(*) as lines, min(line_no) as line_no
        from mart.recognition_schedule
        where month = $month
        group by deal_id, revenue_type
    ),

    resolved as (
        select
            r.*,
            case
                when r.found_deal_id is not null then null
                when d.lines is null then o.line_no
                when d.lines = 1 then d.line_no
            end as typed_line_no
        from referenced as r
        left join due_of_type as d on r.deal_id = d.deal_id and r.revenue_type = d.revenue_type
        left join only_line_of_type as o on r.deal_id = o.deal_id and r.revenue_type = o.revenue_type
    ),

    placed as (
        select
            *,
            case when typed_line_no is not null then deal_id else found_deal_id end as line_deal_id,
            coalesce(typed_line_no, found_line_no) as line_line_no
        from resolved
    )

select
    $month::date as month,
    p.entry_id,
    p.line_deal_id as deal_id,
    p.line_line_no as line_no,
    coalesce(l.customer_id, d.customer_id, c.customer_id) as customer_id,
    p.revenue_type,
    case when list_contains($recurring_revenue_types, p.revenue_type) then 'recurring' else 'one_time' end as revenue_class,
    p.entry_type,
    case
        when p.found_by is not null then p.found_by
        when p.typed_line_no is not null then 'by_type'
        else 'unmapped'
    end as mapping_status,
    p.amount_cents,
    p.posted_at,
    p.posted_at > $cutoff as late,
    case when p.posted_at <= $cutoff then $month::date else coalesce(closes.close_month, list_max($close_months::date[])) end
        as recognized_month,
    p.reverses_entry_id,
    p.accounting_ref,
    p.reviewed_by is not null as reviewed,
    p.batch_id
from placed as p
left join deal_customers as l on p.line_deal_id = l.deal_id
left join deal_customers as d on p.deal_id = d.deal_id
left join raw.bookings_customers as c on p.customer_id = c.customer_id and c.row_status = 'surviving'
asof left join closes on p.posted_at <= closes.close_cutoff
