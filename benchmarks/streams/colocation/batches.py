"""The same kind of meter readings cut into few large or many small batches.

Belongs here: equal batches of one source, with the contracts and sites that they refer to. Does not belong here: a whole
month of an operator (``operator``).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

_METERS = 2_000
_FIRST_DAY = "DATE '2020-01-01'"
_BEFORE = datetime(2019, 12, 1, tzinfo=UTC)
_START = datetime(2020, 1, 2, 5, tzinfo=UTC)

_MASTER = {
    "customers": "select 'CU-1' as customer_id, 'One' as customer_name, 'retail' as segment, 'US' as country, 'active' as status",
    "sites": "select 'S-1' as site_id, 'One' as site_name, 'east' as region, 'UTC' as timezone, 1000000 as capacity_kw",
    "contract_versions": f"""
        select format('C-{{:05d}}', i) as contract_id, 1 as version, 'CU-1' as customer_id, 'S-1' as site_id,
            {_FIRST_DAY} as effective_from, null as effective_to, 'active' as status, 'all_in' as pricing_model, 1 as racks,
            10 as reserved_kw, 1000 as rack_price, 100 as kw_price, null as energy_rate, null as pue_uplift,
            null as overage_price, null as one_time_fee, 'new' as amendment_type, {_FIRST_DAY} as signed_on
        from range({_METERS}) as meters(i)
    """,
}


def write_batches(landing: Path, batches: int, rows: int) -> None:
    """Write readings of 2,000 meters, day by day, as batches of one CSV file each; every row is new and good.

    Args:
        landing: root of the landing zone.
        batches: number of batches.
        rows: rows of each batch.
    """
    with duckdb.connect() as engine:
        for source, query in _MASTER.items():
            _write(engine, landing, source, _BEFORE, query)
        for number in range(batches):
            # 100 kWh and some, so that every row is within its peak times 24 hours.
            query = f"""
                select format('M-{{:05d}}', i % {_METERS}) as meter_id, format('C-{{:05d}}', i % {_METERS}) as contract_id,
                    'S-1' as site_id, {_FIRST_DAY} + (i // {_METERS})::INTEGER as reading_date,
                    ((100000 + i % 7919) * 0.001)::DECIMAL(18, 3) as kwh, 9.5 as peak_kw, 'actual' as read_type
                from range({number * rows}, {(number + 1) * rows}) as numbers(i)
            """
            _write(engine, landing, "meter_readings", _START + timedelta(hours=number), query)


def _write(engine: duckdb.DuckDBPyConnection, landing: Path, source: str, arrival: datetime, query: str) -> None:
    batch = landing / "colocation" / source / f"{arrival:%Y%m%dT%H%M%SZ}"
    batch.mkdir(parents=True)
    engine.execute(f"copy ({query}) to '{batch / f'{source}.csv'}' (format csv, header)")
