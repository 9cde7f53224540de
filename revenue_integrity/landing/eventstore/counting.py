"""What became of each batch's rows, and the months that it touches.

Belongs here: the counts of the batches of a log. Does not belong here: those of sources that are kept in tables (``merge``).
"""

from revenue_integrity.landing.eventstore.incoming import Kept
from revenue_integrity.landing.eventstore.work import LogWork, columns, same


def count_batches(work: LogWork, kept: list[Kept]) -> None:
    """Count what became of each batch's rows, and note the months that it touches."""
    files, days, versions = work.table("files"), work.table("days"), work.table("versions")
    held = " union all ".join(
        f"select batch_id, month from meta.held_{source.dataset} where not is_duplicate"
        for _, source in sorted(work.sources.items())
    )
    work.execute(f"""
        update meta.batches as b set
            rows_in_file = c.in_file, rows_quarantined = c.quarantined, exact_duplicates = c.duplicates,
            corrections = c.corrections, rows_loaded = c.in_file - c.quarantined - c.duplicates
        from (
            select
                f.batch_id, f.in_file, coalesce(h.quarantined, 0) as quarantined, coalesce(v.duplicates, 0) as duplicates,
                coalesce(v.corrections, 0) as corrections
            from (select batch_id, sum(row_count) as in_file from {files} group by all) as f
            left join (select batch_id, count(*) as quarantined from ({held}) group by all) as h on f.batch_id = h.batch_id
            left join (
                select batch_id, count(*) filter (is_duplicate) as duplicates, count(*) filter (is_correction) as corrections
                from {versions} group by all
            ) as v on f.batch_id = v.batch_id
        ) as c
        where b.batch_id = c.batch_id and (
            b.rows_in_file, b.rows_quarantined, b.exact_duplicates, b.corrections
        ) <> (c.in_file, c.quarantined, c.duplicates, c.corrections)
    """)
    # Of other batches neither the rows nor what became of them is another than before.
    work.execute(f"""
        create or replace temp table landing_batches as
        select distinct batch_id from {files}
        where file_no >= {kept[0].number if kept else "null"}
            or file_no in (select file_no from landing_versions)
            or source in ({work.delivering("overwrite_scope")})
    """)
    work.execute(f"""
        create or replace temp view landing_later as
        select * from {versions} semi join landing_batches using (batch_id) where is_correction and is_moved
    """)
    work.execute("delete from meta.batch_months where batch_id in (select batch_id from landing_batches)")
    order = work.log.versions.ordering
    moved = f"""
        union all
        -- What a batch corrects where it has rows itself adds no month to those that it touches: only moved events may.
        select later.batch_id, {work.month_of("earlier")}, 0, 0, 0, count(*)
        from landing_later as later
        inner join {versions} as earlier on {same("later", "earlier", work.log.key)}
        where earlier.is_moved and earlier.{work.day} is not null and ({columns(order, "later")}) > ({columns(order, "earlier")})
        group by all
    """
    work.execute(f"""
        insert into meta.batch_months
        select batch_id, month, sum(loaded), sum(quarantined), sum(duplicates), sum(replaced)
        from (
            select
                d.batch_id, {work.month_of("d")} as month, sum(d.row_count) as loaded, 0 as quarantined, 0 as duplicates,
                0 as replaced
            from {days} as d group by all
            union all
            select batch_id, month, 0, count(*), 0, 0 from ({held}) where month is not null group by all
            union all
            select v.batch_id, {work.month_of("v")}, -count(*), 0, count(*), 0
            from {versions} as v where v.is_duplicate and v.{work.day} is not null group by all
            {moved if work.log.key else ""}
            union all
            select later.batch_id, {work.month_of("earlier")}, 0, 0, 0, sum(earlier.row_count)
            from (
                select distinct batch_id, scope, arrival from {days} where source in ({work.delivering("overwrite_scope")})
            ) as later
            inner join {days} as earlier on later.scope = earlier.scope and earlier.arrival < later.arrival
            group by all
        )
        semi join landing_batches using (batch_id)
        group by all
    """)
