-- When the batches of a stream arrived that could be read.
select source, arrival
from meta.batches
where stream = $stream and status not in ('rejected', 'withdrawn')
order by source, arrival
