-- One row per known deal, with its lines.

select deal_id, list(distinct line_no order by line_no) as line_nos
from raw.bookings_deal_lines
where row_status = 'surviving'
group by deal_id
