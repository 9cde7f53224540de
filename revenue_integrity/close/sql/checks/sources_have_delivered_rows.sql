-- The sources that never delivered a readable batch.
select s.source
from (select unnest($sources::varchar[]) as source) as s
anti join (select distinct source from meta.batches where stream = $stream and first_status = 'loaded') as b
    on s.source = b.source
order by s.source
