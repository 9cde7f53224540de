"""Billing events by the ten million, the same on every machine.

Belongs here: days of events as Parquet and CSV, corrections of them. Does not belong here: what is measured with them
(``benchmark``), realistic faults (the simulator).

Every value follows from a number: the *event* decides account, service, region and pricing model, the *row* its cost. One row in
100 is a later version of the event 50 rows before it (a new cost), one in 10,000 an exact copy of the row 3 before, one in 10,000
a tombstone of the event 4 before.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from revenue_integrity.files import Durable, made

DAY = date(2025, 3, 1)
"""The usage day of the large file."""

FIRST_DAY = date(2025, 1, 1)
DAYS = 90
"""Days of the history that is corrected: January to March 2025."""

SOURCE = "billing_events"

_COLUMNS = (
    "event_id, tenant_id, account_id, service_name, region, pricing_model, usage_date, cost, currency, ingested_at, is_deleted"
)

_EVENTS = """
    with kinds as (
        select
            i,
            case
                when i % 10000 = 77 then 'copy'
                when i % 10000 = 98 then 'tombstone'
                when i % 100 = 0 and i >= 50 then 'version'
                else 'event'
            end as kind
        from range({first}, {last}) as numbers(i)
    ),
    numbered as (
        select
            kind,
            case kind when 'copy' then i - 3 when 'tombstone' then i - 4 when 'version' then i - 50 else i end as event,
            case kind when 'copy' then i - 3 else i end as row_of_values
        from kinds
    )
    select
        'EVT-' || lpad(event::varchar, 12, '0') as event_id,
        'TENANT-' || (hash(event) % 5000 % 3)::varchar as tenant_id,
        'ACCT-' || lpad((hash(event) % 5000)::varchar, 5, '0') as account_id,
        (['Compute', 'Storage', 'Database', 'Network', 'Analytics', 'AI', 'Queue', 'Cache'])[1 + (hash(event + 1) % 8)::int]
            as service_name,
        (['us-east-1', 'eu-west-1', 'ap-south-1'])[1 + (hash(event + 2) % 3)::int] as region,
        (['on_demand', 'reserved', 'spot', 'other'])[1 + (hash(event + 3) % 4)::int] as pricing_model,
        date '{day}' as usage_date,
        -- Twelve decimals are filled: nine of a hash, three of the number of the row.
        ((hash(row_of_values + 4) % 1000000000)::decimal(38, 18) * 0.000000001
            + (row_of_values % 1000)::decimal(38, 18) * 0.000000000001)::decimal(38, 18) as cost,
        'USD' as currency,
        timestamptz '{ingested}' + to_seconds(row_of_values % 3600)
            + to_hours(case when kind in ('version', 'tombstone') then 1 else 0 end) as ingested_at,
        kind = 'tombstone' as is_deleted
    from numbered
"""


def batch_folder(landing: Path, arrival: datetime) -> Path:
    """Return the directory of a batch of billing events."""
    return landing / "cloud" / SOURCE / f"{arrival:%Y%m%dT%H%M%SZ}"


def arrival_of(day: date) -> datetime:
    """Return when a day's events arrive: the next morning."""
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(days=1)


def day_file(data: Path, rows: int, form: str) -> Path:
    """Write the events of one day, unless an earlier call did, and return the file.

    Args:
        data: where the files of all runs stand.
        rows: rows of the file.
        form: ``parquet`` (canonical types) or ``csv`` (instants as ISO 8601 with Z).
    """
    file = data / f"day_{rows}.{form}"
    if file.exists():
        return file
    data.mkdir(parents=True, exist_ok=True)
    if form == "parquet":
        _write(file, events_of(DAY, 0, rows))
    else:
        instant = "strftime(ingested_at, '%Y-%m-%dT%H:%M:%SZ') as ingested_at"
        columns = f"* replace ({instant})"
        _write(file, f"select {columns} from '{day_file(data, rows, 'parquet')}'", "format csv, header")
    return file


def history_folder(data: Path, rows: int) -> Path:
    """Write a history, a batch of one Parquet file a day, unless an earlier call did, and return its landing zone.

    Args:
        data: where the files of all runs stand.
        rows: rows of each day.
    """
    landing = data / f"history_{rows}"
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        file = batch_folder(landing, arrival_of(day)) / "events.parquet"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, events_of(day, number * rows, (number + 1) * rows))
    return landing


def spread_days(count: int) -> list[date]:
    """Return days spread evenly over the history: a correction that touches few days of every month."""
    return [FIRST_DAY + timedelta(days=(2 * number + 1) * DAYS // (2 * count)) for number in range(count)]


def write_correction(landing: Path, arrival: datetime, days: Iterable[date], rows: int) -> int:
    """Land a correction: one event in 100 of some days of a history has a new cost. Return its rows.

    Args:
        landing: landing zone that holds the history.
        arrival: when the correction arrives.
        days: the days whose events it corrects.
        rows: rows of each day of the history.
    """
    # Every event whose number leaves 11 is a plain one of its own: no copy, tombstone or later version.
    corrected = " union all ".join(
        f"select * from ({events_of(day, (day - FIRST_DAY).days * rows, ((day - FIRST_DAY).days + 1) * rows)})"
        " where not is_deleted and right(event_id, 2) = '11'"
        for day in days
    )
    instant = f"timestamptz '{arrival:%Y-%m-%d %H:%M:%S}+00' as ingested_at"
    folder = batch_folder(landing, arrival)
    folder.mkdir(parents=True)
    file = folder / "correction.parquet"
    _write(file, f"select * replace ((cost + {arrival.hour + 1} * 0.01)::decimal(38, 18) as cost, {instant}) from ({corrected})")
    with duckdb.connect() as engine:
        ((written,),) = engine.execute(f"select count(*) from '{file}'").fetchall()
    return int(written)


def events_of(day: date, first: int, last: int) -> str:
    """Return SQL for the events of a day with the numbers from ``first`` to before ``last``."""
    select = _EVENTS.format(first=first, last=last, day=day, ingested=f"{day + timedelta(days=1)} 01:00:00+00")
    return f"select {_COLUMNS} from ({select})"


def _write(file: Path, query: str, options: str = "format parquet") -> None:
    """Write rows in their order, whole or not at all: a file that a killed run left half is not taken for one."""
    with made(file, durable=Durable.NOTHING) as new, duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute(f"copy ({query}) to '{new}' ({options})")
