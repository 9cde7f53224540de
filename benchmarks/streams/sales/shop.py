"""One month of a large shop as landing batches: a file of nested JSON for each day, its customers, and what accounting booked.

Belongs here: made-up files, the same bytes of data for the same arguments. Does not belong here: stories (the simulator has
them). Written by the engine, since a million objects in Python would take longer than what is measured.
"""

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import duckdb

MONTH = date(2025, 3, 1)
"""The service month."""

_CUSTOMERS_CAME = datetime(2025, 2, 20, 6, tzinfo=UTC)
_BOOKED = datetime(2025, 4, 8, 9, tzinfo=UTC)

_DAY = """
    select
        transaction_id,
        format('C-{:06d}', customer) as customer_id,
        struct_pack(
            id := format('P-{:05d}', product),
            name := format('Product {}', product),
            category := category,
            price := cast(price_cents as decimal(9, 0)) / 100::decimal(9, 2)
        ) as product,
        sent_quantity as quantity,
        case i % 3
            when 0 then to_json(percent || '%')
            when 1 then to_json(cast(percent as decimal(5, 2)) / 100)
            else to_json((cast(percent as decimal(5, 2)) / 100)::varchar)
        end as discount,
        case i % 3
            when 0 then strftime(sold_on, '%Y-%m-%dT') || format('{:02d}:30:00', 8 + i % 12)
            when 1 then strftime(sold_on, '%Y/%m/%d')
            else strftime(sold_on, '%d %b %Y')
        end as date,
        region,
        if(i % 7 = 0, 'cash', 'card') as payment_method
    from sent
    where day = $day
    order by i
"""

_AGAIN = _DAY.replace("where day = $day", "where day = $day and i % 100 = 3")

_CUSTOMERS = """
    select format('C-{:06d}', i) as customer_id, format('Customer {}', i) as name, format('c{}@example.com', i) as email,
        ['North', 'South', 'East', 'West', 'Centre'][1 + i % 5] as region, i % 900 as loyalty_points,
        '2024-05-01' as signup_date
    from range($customers) as r (i)
    order by i
"""

_LEDGER = """
    select 'J-' || region || '-' || category as document_id, 1 as line_no, 'journal' as document_type, '2025-03' as month,
        region, category, (cents // 100)::varchar || '.' || lpad((cents % 100)::varchar, 2, '0') as amount, 'USD' as currency,
        '2025-04-02T09:00:00Z' as posted_at
    from (
        select region, category,
            sum((price_cents * quantity * (100 - percent) + 50) // 100)::bigint as cents
        from sent
        where not is_refused
        group by all
    )
    order by all
"""


def write_month(landing: Path, transactions: int) -> int:
    """Write one month of so many transactions into a landing zone and return the number of objects, those sent again included."""
    with duckdb.connect() as engine:
        for name, value in {"transactions": transactions, "month": MONTH}.items():
            engine.execute(f"set variable {name} = $value", {"value": value})
        engine.execute((resources.files("benchmarks.streams.sales") / "sql" / "shop.sql").read_text(encoding="utf-8"))
        customers = _CUSTOMERS.replace("$customers", str(transactions // 20 + 1))
        _write(engine, landing, "customers", _CUSTOMERS_CAME, customers)
        written = 0
        for day in range(1, 32):
            arrival = datetime(MONTH.year, MONTH.month, day, 22, tzinfo=UTC)
            written += _write(engine, landing, "transactions", arrival, _DAY.replace("$day", str(day)))
            again = _AGAIN.replace("$day", str(day))
            written += _write(engine, landing, "transactions", arrival + timedelta(hours=1), again)
        _write(engine, landing, "ledger", _BOOKED, _LEDGER)
        return written


def _write(engine: duckdb.DuckDBPyConnection, landing: Path, source: str, arrival: datetime, query: str) -> int:
    batch = landing / "sales" / source / arrival.strftime("%Y%m%dT%H%M%SZ")
    batch.mkdir(parents=True)
    ((rows,),) = engine.execute(f"copy ({query}) to '{batch / f'{source}.json'}' (format json, array true)").fetchall()
    return int(rows)
