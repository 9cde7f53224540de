"""What is computed over an event log reads: the rows that count of some days, and the versions that outcomes rest on.

Belongs here: the inputs of stages, made from what stands in the store. Does not belong here: stages (each stream), running them
(``warehouse.engine``).
"""

from collections.abc import Sequence
from datetime import date
from functools import partial

import duckdb

from revenue_integrity.landing.eventstore.work import columns, same
from revenue_integrity.landing.values import name
from revenue_integrity.model.events import PREFERENCE, EventLog
from revenue_integrity.model.query import listed_days
from revenue_integrity.model.stage import ScannedFile, Stage, StageInputs
from revenue_integrity.model.table import Table
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.scanning import scan_sql


def version_inputs(log: EventLog) -> Stage:
    """Return what outcomes are computed from: ``versions``, all versions of events that have one on the days, and ``days``."""
    return partial(_version_inputs, log)


def _version_inputs(
    log: EventLog, connection: duckdb.DuckDBPyConnection, settings: Settings, days: Sequence[date]
) -> StageInputs:
    preference = [PREFERENCE] if log.versions.prefer else []
    lineage = ("file_no", "row_number", "batch_id", "arrival", "file_name")
    shown = columns([*log.version_columns, *preference, "content", *lineage])
    of_days = f"{name(log.day)} in ({listed_days(days)})"
    return StageInputs(
        tables={
            "versions": f"""
                select {shown} from {log.schema}.compared where {of_days} and not set_aside
                union all
                select {shown}
                from {log.schema}.compared
                semi join (
                    select {columns(log.key)} from {log.schema}.versions where {of_days} and is_moved
                ) using ({columns(log.key)})
                where is_moved and not {of_days} and not set_aside
            """,
            "days": f"select distinct {name(log.day)} from {log.schema}.versions where {of_days}",
        }
    )


def row_inputs(log: EventLog, outcomes: Table | None = None) -> Stage:
    """Return what sums are computed from: ``events``, all live rows of the days, and ``outcomes``, those that do not count.

    Args:
        log: the log.
        outcomes: the table of rows that do not count; none where rows of the log are never versions of one another.
    """
    return partial(_row_inputs, log, outcomes)


def _row_inputs(
    log: EventLog, outcomes: Table | None, connection: duckdb.DuckDBPyConnection, settings: Settings, days: Sequence[date]
) -> StageInputs:
    wanted, day = listed_days(days), name(log.day)
    files = connection.execute(f"""
        select file_no, path, projection from {log.schema}.files
        where file_no in (select file_no from {log.schema}.days where is_live and {day} in ({wanted}))
        order by file_no
    """).fetchall()
    numbers = ", ".join(str(number) for number, _, _ in files) or "-1"
    of_day = (log.day, *log.apart)
    tables = {
        "left_out": f"""
            select file_no, row_number from {log.schema}.refused where file_no in ({numbers})
            union
            select file_no, row_number from {log.schema}.versions where set_aside and file_no in ({numbers})
        """,
        "replaced": f"""
            select file_no, {columns(of_day)}, coalesce(scope, '') as scope
            from {log.schema}.days where not is_live and {day} in ({wanted}) and file_no in ({numbers})
        """,
    }
    if outcomes is not None:
        # A store that was built again numbers its files anew; batch and file name stay.
        tables["outcomes"] = f"""
            select c.file_no, c.row_number, {columns(log.version_columns, "c")}
            from {outcomes.qualified} as o
            inner join {log.schema}.files as f on o.batch_id = f.batch_id and o.file_name = f.file_name
            inner join {log.schema}.versions as c on f.file_no = c.file_no and o.row_number = c.row_number
            -- What is not among the events must not be taken off them, however old the outcomes are.
            semi join (select file_no, {columns(of_day)} from {log.schema}.days where is_live) as d
                on c.file_no = d.file_no and {same("c", "d", of_day)}
            -- What came without a day is not among the events of any.
            where o.{day} in ({wanted}) and not c.set_aside and not c.without_day
        """
    joins, conditions = [], [f"e.{day} in ({wanted})"]
    if connection.execute(f"select 1 from ({tables['left_out']}) limit 1").fetchall():
        joins.append("left join left_out as l on e.file_no = l.file_no and e.row_number = l.row_number")
        conditions.append("l.file_no is null")
    if connection.execute(f"select 1 from ({tables['replaced']}) limit 1").fetchall():
        scope = f"coalesce(e.{name(log.scope)}, '')" if log.scope else "''"
        joins.append(f"left join replaced as r on e.file_no = r.file_no and {same('e', 'r', of_day)} and {scope} = r.scope")
        conditions.append("r.file_no is null")
    return StageInputs(
        scans={"event_rows": _scanned(files, settings)},
        empty={"event_rows": log.types},
        tables=tables,
        views={"events": f"select e.* from event_rows as e {' '.join(joins)} where {' and '.join(conditions)}"},
    )


def _scanned(files: Sequence[tuple[int, str, str]], settings: Settings) -> tuple[ScannedFile, ...]:
    return tuple(ScannedFile(number, settings.home / path, sql) for number, path, sql in files)


def show_rows(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    log: EventLog,
    days: Sequence[date],
    files: Sequence[int] | None = None,
) -> None:
    """Make the temporary view ``event_rows``: good rows of some days with their batch, of some files or of all that hold any.

    Rows that were replaced, set aside or do not count are among them.
    """
    wanted, day = listed_days(days), name(log.day)
    only = "" if files is None else f"and file_no in ({', '.join(map(str, files)) or '-1'})"
    found = connection.execute(f"""
        select file_no, path, projection from {log.schema}.files
        where file_no in (select file_no from {log.schema}.days where {day} in ({wanted})) {only}
        order by file_no
    """).fetchall()
    connection.execute(f"""
        create or replace temp view event_rows as
        select f.source, e.file_no, e.row_number, {columns(log.types, "e")}, f.batch_id, f.arrival, f.file_name
        from ({scan_sql(_scanned(found, settings), log.types)}) as e
        inner join {log.schema}.files as f on e.file_no = f.file_no
        anti join {log.schema}.refused as h on e.file_no = h.file_no and e.row_number = h.row_number
        where e.{day} in ({wanted})
    """)


def live_days(connection: duckdb.DuckDBPyConnection, log: EventLog, months: Sequence[date]) -> list[date]:
    """Return the days of some months that have rows which stand, in order."""
    found = connection.execute(
        f"select distinct {name(log.day)} from {log.schema}.days"
        f" where is_live and list_contains($months, date_trunc('month', {name(log.day)})::date) order by all",
        {"months": list(months)},
    ).fetchall()
    return [day for (day,) in found]
