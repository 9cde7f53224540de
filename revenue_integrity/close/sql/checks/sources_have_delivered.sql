-- Sources of the stream that never delivered a readable batch; one row.
with sources as (
    select unnest($sources::varchar[]) as source
)

select
    count(*) filter (where b.source is null) = 0 as passed,
    count(*) as sources,
    count(*) filter (where b.source is null) as never_delivered
from sources as s
left join (select distinct source from meta.batches where stream = $stream and first_status = 'loaded') as b
    on s.source = b.source
