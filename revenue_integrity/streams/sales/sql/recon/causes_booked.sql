-- Lines of the ledger in the month and those around it, each with the row that it stands in.
select
    results.month,
    results.row_key,
    lines.document_id,
    lines.line_no,
    lines.document_type,
    lines.amount_cents,
    lines.posted_at,
    lines.reverses_document_id,
    lines.late
from (
    select
        *,
{% filter indent(8, first=true) %}{% include 'recon/booked_cell.sql.j2' %}{% endfilter %}
    from curated.sales_ledger_lines
    where month between $first and $last
) as lines
inner join recon.sales_recon_results as results
    on
        results.recon = 'sales_vs_ledger'
        and results.view = 'current'
        and results.month = lines.month
        and results.region is not distinct from lines.cell_region
        and results.category is not distinct from lines.cell_category
order by results.month, lines.document_id, lines.line_no
