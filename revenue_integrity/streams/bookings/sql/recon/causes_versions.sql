-- Versions of the lines of deals that have a variance: all lines of a deal, for its price is allocated over them.
with
{% include 'recon/causes_keys.sql.j2' %},

{% include 'mart/deal_versions.sql.j2' %}

select *
from deal_versions
where deal_id in (select deal_id from varying_lines)
order by deal_id, line_no, version
