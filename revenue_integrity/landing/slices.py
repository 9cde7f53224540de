"""What the rows of a source look like to a month: one hash per source and month, and the batches behind it.

Belongs here: slices and their months, for fingerprints. Does not belong here: comparing fingerprints.

A slice is an order-independent hash over the loaded rows that matter to the month: their values, arrival and status. It does
not see batch, file or row number, so that the same rows in other files are the same slice. Only slices of touched months are
computed; all are kept in ``meta.slices``.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import duckdb

from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.source import Source

HASHED_ROW = ("arrival", "row_status")
"""What a slice sees of a row beside its values."""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of this module if they are not there."""
    connection.execute("""
        create table if not exists meta.slices (
            stream VARCHAR not null, source VARCHAR not null, month DATE not null, hash VARCHAR not null
        )
    """)
    connection.execute("create table if not exists meta.slice_months (stream VARCHAR not null, month DATE not null)")


def forget(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Drop the slices of a source."""
    connection.execute("delete from meta.slices where stream = ? and list_contains(?, source)", [source.stream, source.slices])
    connection.execute("delete from meta.slice_months where stream = ?", [source.stream])


def refresh(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    months: Sequence[date],
    changed: Mapping[str, Iterable[date]],
) -> None:
    """Compute the slices that may have changed.

    ``months`` are the months of the deployment, for which sources without a service month have slices; ``changed`` names the
    sources whose loaded rows changed and, where rows have a service month, the months of these rows.
    """
    widened = _note_months(connection, sources, months)
    for source in sources:
        if source.is_kept_in_files:
            continue
        if source.has_month and source.name in changed:
            _refresh_months(connection, source, sorted(changed[source.name]))
        reads = {source.name, *source.matters_reads}
        if not source.has_month and (source.stream in widened or reads & set(changed)):
            _refresh_mattering(connection, source)
        if source.starts and (source.stream in widened or source.name in changed):
            _refresh_starts(connection, source)
        if source.stream in widened or source.name in changed:
            _refresh_reaches(connection, source)


def _note_months(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], months: Sequence[date]) -> set[str]:
    """Keep the months of the deployment in ``meta.slice_months``; return the streams for which they are others than before."""
    widened = set()
    for stream in sorted({source.stream for source in sources}):
        kept = connection.execute("select month from meta.slice_months where stream = ? order by all", [stream]).fetchall()
        if [month for (month,) in kept] != list(months):
            widened.add(stream)
            connection.execute("delete from meta.slice_months where stream = ?", [stream])
            connection.execute("insert into meta.slice_months select ?, unnest(?::DATE[])", [stream, list(months)])
    return widened


def _hash(columns: Iterable[str]) -> str:
    """Return SQL for an order-independent hash of a group of rows."""
    return f"count(*) || ':' || sum(cast(hash({', '.join(columns)}) as HUGEINT))"


def _row_hash(source: Source) -> str:
    return _hash([*(f"r.{name(column)}" for column in source.values), *(f"r.{column}" for column in HASHED_ROW)])


def _replace(connection: duckdb.DuckDBPyConnection, source: Source, slice_name: str, which: str, sql: str) -> None:
    of = f"stream = {quote(source.stream)} and source = {quote(slice_name)}"
    connection.execute(f"delete from meta.slices where {of} and {which}")
    connection.execute(f"insert into meta.slices select {quote(source.stream)}, {quote(slice_name)}, month, hash from ({sql})")


def _refresh_months(connection: duckdb.DuckDBPyConnection, source: Source, months: Sequence[date]) -> None:
    listed = ", ".join(f"DATE '{month}'" for month in months)
    if listed:
        which = f"month in ({listed})"
        rows = f"select r.month, {_row_hash(source)} as hash from raw.{source.dataset} as r where r.{which} group by r.month"
        _replace(connection, source, source.dataset, which, rows)


def mattering(source: Source) -> str:
    """Return SQL for the months ``m`` and the rows ``r`` of a source without a service month that matter to each."""
    return f"{_months(source)} as m inner join raw.{source.dataset} as r on ({source.matters})"


def _months(source: Source) -> str:
    return f"(select month, last_day(month) as month_end from meta.slice_months where stream = {quote(source.stream)})"


def _refresh_mattering(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    rows = f"select m.month, {_row_hash(source)} as hash from {mattering(source)} group by m.month"
    _replace(connection, source, source.dataset, "true", rows)
    connection.execute("delete from meta.batch_months where starts_with(batch_id, ?)", [source.prefix])
    connection.execute(
        f"insert into meta.batch_months select r.batch_id, m.month, count(*), 0, 0, 0 from {mattering(source)} group by all"
    )


def _refresh_starts(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    starts = source.starts
    if starts is None:
        return
    columns = [*(f"s.{name(column)}" for column in starts.by), "s.first_day"]
    rows = f"""
        select m.month, {_hash(columns)} as hash
        from {_months(source)} as m
        inner join meta.starts_{source.dataset} as s on s.first_day <= m.month_end
        group by m.month
    """
    _replace(connection, source, source.own(starts.name), "true", rows)


def _refresh_reaches(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    for reach in source.reaches:
        rows = reach.rows.format(months=_months(source))
        _replace(
            connection,
            source,
            source.own(reach.name),
            "true",
            f"select m.month, {_row_hash(source)} as hash from {rows} group by m.month",
        )


def slices(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> dict[tuple[str, date], str]:
    """Return the hash of each source's (and each look-back's) slice by name and month; what has no row is not there."""
    names = [each for source in sources for each in source.slices]
    streams = sorted({source.stream for source in sources})
    rows = connection.execute(
        "select source, month, hash from meta.slices where list_contains(?, stream) and list_contains(?, source) order by all",
        [streams, names],
    ).fetchall()
    return {(source, month): value for source, month, value in rows}


def touching_batches(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]
) -> dict[tuple[str, date], tuple[tuple[str, str], ...]]:
    """Return the (batch, digest) set that touches each source's month, in order of batch ids.

    A batch touches the months of its rows, quarantined ones included, and of the rows that they replaced; for a source without
    a service month, the months to which its loaded rows matter. Batches of the sources by which rows are judged belong to the
    set too, for they make rows heal and go bad.
    """
    rows = connection.execute(
        """
        select batches.source, batch_months.month, batches.batch_id, batches.digest
        from meta.batch_months inner join meta.batches using (batch_id)
        where list_contains(?, batches.stream)
        """,
        [sorted({source.stream for source in sources})],
    ).fetchall()
    own: dict[tuple[str, date], set[tuple[str, str]]] = defaultdict(set)
    for source_name, month, batch_id, digest in rows:
        own[source_name, month].add((batch_id, digest))
    judges = {source.name: judging_sources(source, sources) for source in sources}
    return {
        (source_name, month): tuple(sorted(batches.union(*(own.get((judge, month), ()) for judge in judges[source_name]))))
        for (source_name, month), batches in sorted(own.items())
        if source_name in judges
    }


def judging_sources(source: Source, sources: Sequence[Source]) -> set[str]:
    """Return the names of the sources that look-ups of a source are made from, and of those behind them."""
    by_name = {each.name: each for each in sources}
    direct = {each for reference in source.references for each in reference.lookup.made_from}
    return direct.union(*(judging_sources(by_name[each], sources) for each in direct))
