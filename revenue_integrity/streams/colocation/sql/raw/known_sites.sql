-- One row per known site, with the time zone of its local day.

select site_id, timezone
from raw.sites
where row_status = 'surviving'
