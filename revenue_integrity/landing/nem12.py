"""NEM12, the interval meter data format of the Australian electricity market, as one row per meter stream and day.

Belongs here: taking a NEM12 file apart and adding its intervals up. Does not belong here: which of its columns is which of ours
(a mapping says that).

Records, one a line: 100 header; 200 a meter stream (NMI, register, unit, length of its intervals); 300 a day of the stream's
intervals and their quality; 400 qualities of parts of the day before; 500 (manual readings) is not needed; 900 end.
Only active energy that a site consumes is read: streams whose suffix begins with E, in Wh, kWh or MWh. Generation (B) and
reactive energy (kVArh) are left out and counted. Days are days of market time, which knows no daylight saving.
"""

from pathlib import Path

import duckdb

from revenue_integrity.landing.values import path_literal

COLUMNS = (
    "NMI", "NMISuffix", "Stream", "MeterSerialNumber", "IntervalDate", "kWh", "PeakKW", "Quality", "QualityFlag", "QualityMethod",
    "UpdateDateTime",
)  # fmt: skip
"""Columns of the rows. ``Stream`` is NMI-suffix, which is unique; ``IntervalDate`` is YYYY-MM-DD; ``Quality`` is actual,
estimated or final (flag F: a substitution that nothing replaces); ``QualityFlag`` and ``QualityMethod`` are the flag as it came,
without and with its method (``F``, ``F14``); ``PeakKW`` is the highest mean power of an interval."""

_MINUTES = (5, 10, 15, 20, 30, 60)
_QUALITY = "[ANEFSV][0-9]{0,2}"
_NUMBER = r"[0-9]+(\.[0-9]{0,6})?|\.[0-9]{1,6}"


class NotNem12Error(Exception):
    """The file is no NEM12 file; the message completes a sentence that begins with its name."""


def read(connection: duckdb.DuckDBPyConnection, path: Path, table: str) -> int:
    """Read a NEM12 file (UTF-8) into a temporary table of ``COLUMNS`` as texts; return how many days were left out.

    Of several versions of a day of one quality the one with the latest ``UpdateDateTime`` is kept, wherever it stands; one that
    cannot be read replaces none. Intervals are added exactly. A day whose record cannot be read has the reason as its ``kWh``,
    and a day without data (quality N) has none, so that both go to quarantine.

    Raises:
        NotNem12Error: it does not begin with 100,NEM12 and end with 900, or records stand where they cannot.
    """
    # No NEM12 file holds this character, so that each line comes whole.
    connection.execute(f"""
        create or replace temp table nem12_lines as
        select string_split(trim(line, ' {chr(13)}'), ',') as fields, line.trim().split(',')[1] as kind
        from read_csv({path_literal(path)}, hive_partitioning = false, auto_detect = false, header = false,
            delim = '\x01', quote = '', escape = '',
            columns = {{'line': 'VARCHAR'}}, max_line_size = 1000000)
        where line is not null
    """)
    _check_structure(connection)
    connection.execute(f"create or replace temp table {table} as {_DAYS}")
    connection.execute("drop table nem12_lines")
    wanted = "is_consumption and is_latest"
    left_out = connection.execute(f"select count(*) from {table} where not ({wanted})").fetchall()[0][0]
    connection.execute(f"delete from {table} where not ({wanted})")
    for column in ("is_consumption", "is_latest"):
        connection.execute(f"alter table {table} drop column {column}")
    return int(left_out)


def _check_structure(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute("""
        select
            (select fields[1:2] from nem12_lines order by rowid limit 1),
            (select kind from nem12_lines order by rowid desc limit 1),
            (select min(rowid) + 1 from nem12_lines where kind not in ('100', '200', '300', '400', '500', '900')),
            (select min(rowid) from nem12_lines where kind = '200'),
            (select min(rowid) from nem12_lines where kind = '300'),
            (select min(rowid) from nem12_lines where kind = '400'),
            (select min(rowid) + 1 from nem12_lines where kind = '900')
    """).fetchall()
    first, last, strange, streams, days, parts, end = rows[0]
    if first != ["100", "NEM12"]:
        raise NotNem12Error("is no NEM12 file: it does not begin with 100,NEM12")
    if last != "900":
        raise NotNem12Error("is truncated: it does not end with a 900 record")
    if strange is not None:
        raise NotNem12Error(f"has an unknown record in line {strange}")
    if end is not None and connection.execute("select count(*) from nem12_lines where kind = '900'").fetchall()[0][0] > 1:
        raise NotNem12Error(f"goes on behind its 900 record in line {end}")
    if days is not None and (streams is None or days < streams):
        raise NotNem12Error("has intervals (300) before any meter stream (200)")
    if parts is not None and (days is None or parts < days):
        raise NotNem12Error("has qualities (400) before any intervals (300)")


_DAYS = f"""
with
-- each record with the stream and the day that it belongs to: those last opened above it
placed as (
    select
        rowid as line, kind, fields,
        last_value(case when kind = '200' then fields end ignore nulls) over above as stream,
        max(case when kind = '300' then rowid end) over above as day
    from nem12_lines
    window above as (order by rowid rows unbounded preceding)
),

-- the qualities of parts of a day, which a day of quality V has
parts as (
    select
        day,
        bool_or(left(fields[4], 1) = 'N') as any_missing,
        bool_or(left(fields[4], 1) in ('E', 'S')) as any_estimated,
        bool_or(left(fields[4], 1) = 'F') as any_final,
        sum(try_cast(fields[3] as INTEGER) - try_cast(fields[2] as INTEGER) + 1) as intervals
    from placed
    where kind = '400'
    group by day
),

days as (
    select
        placed.line, placed.stream, placed.fields,
        try_cast(placed.stream[9] as INTEGER) as minutes,
        case when minutes in {_MINUTES} then 1440 // minutes end as expected,
        placed.fields[3:expected + 2] as texts,
        placed.fields[expected + 3] as quality,
        upper(placed.stream[8]) as unit,
        parts.any_missing, parts.any_estimated, parts.any_final, parts.intervals
    from placed
    left join parts on placed.line = parts.day
    where placed.kind = '300'
),

judged as (
    select
        *,
        case
            when expected is null then 'an interval of ' || coalesce(stream[9], '') || ' minutes is not possible'
            when len(fields) < expected + 3 or not regexp_full_match(coalesce(quality, ''), '{_QUALITY}')
                then (len(fields) - 2) || ' fields behind the date, which are not ' || expected || ' intervals and a quality'
            when left(quality, 1) = 'N' or coalesce(any_missing, false) then null
            when left(quality, 1) = 'V' and intervals is distinct from expected
                then 'quality V, but the 400 records cover ' || coalesce(intervals, 0) || ' of ' || expected || ' intervals'
            when len(list_filter(texts, lambda each: not regexp_full_match(trim(each), '{_NUMBER}'))) > 0
                then 'interval value ' || list_filter(texts, lambda each: not regexp_full_match(trim(each), '{_NUMBER}'))[1]
                    || ' is no number of at most 6 places'
        end as problem,
        left(quality, 1) = 'N' or coalesce(any_missing, false) as is_missing
    from days
),

-- exact: six places of Wh are nine places of kWh
added as (
    select
        *,
        case when problem is null and not is_missing
            then list_transform(texts, lambda each: cast(trim(each) as DECIMAL(20,6))
                * cast(case unit when 'WH' then 0.001 when 'MWH' then 1000 else 1 end as DECIMAL(7,3)))
        end as kwh_values
    from judged
),

-- A day that is read on its own; a day of quality V has the weakest of its parts.
told as (
    select
        *,
        case
            when left(quality, 1) = 'A' then 'actual'
            when left(quality, 1) in ('E', 'S') then 'estimated'
            when left(quality, 1) = 'F' then 'final'
            when left(quality, 1) = 'V'
                then case when any_estimated then 'estimated' when any_final then 'final' else 'actual' end
        end as kept_quality,
        case when regexp_full_match(fields[expected + 6], '[0-9]{{14}}') then fields[expected + 6] end as updated,
        -- What cannot be read replaces no version, and is replaced by none.
        case when problem is not null or is_missing then line end as apart
    from added
)

select
    stream[2] as "NMI",
    stream[5] as "NMISuffix",
    stream[2] || '-' || stream[5] as "Stream",
    stream[7] as "MeterSerialNumber",
    regexp_replace(fields[2], '^([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})$', '\\1-\\2-\\3') as "IntervalDate",
    coalesce(problem, regexp_replace(cast(list_sum(kwh_values) as VARCHAR), '[.]?0+$', '')) as "kWh",
    coalesce(problem, regexp_replace(cast(list_max(kwh_values) * (60 // minutes) as VARCHAR), '[.]?0+$', '')) as "PeakKW",
    kept_quality as "Quality",
    left(quality, 1) as "QualityFlag",
    quality as "QualityMethod",
    fields[expected + 6] as "UpdateDateTime",
    left(stream[5], 1) = 'E' and unit in ('WH', 'KWH', 'MWH') as is_consumption,
    rank() over (
        partition by stream[2], stream[5], fields[2], kept_quality, apart order by updated desc nulls last
    ) = 1 as is_latest
from told
order by line
"""
