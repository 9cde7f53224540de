"""One month of a large seller of subscriptions as landing batches: every line with three entries and an invoice.

Belongs here: made-up files, the same bytes of data for the same arguments. Does not belong here: stories (the simulator has
them). Written by the engine, since hundreds of thousands of rows in Python would take longer than what is measured. What months
before the deployment left is carried by one entry and one invoice a line, as the specification asks.
"""

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import duckdb

MONTH = date(2025, 3, 1)
"""The service month."""

_EARLY = datetime(2025, 2, 20, 6, tzinfo=UTC)
_EXTRACT = datetime(2025, 4, 8, 9, tzinfo=UTC)


def write_month(landing: Path, lines: int) -> int:
    """Write one month of so many active lines into a landing zone and return the number of entries in the month."""
    with duckdb.connect() as engine:
        for name, value in {"lines": lines, "month": MONTH}.items():
            engine.execute(f"set variable {name} = $value", {"value": value})
        engine.execute((resources.files("benchmarks.streams.bookings") / "sql" / "seller.sql").read_text(encoding="utf-8"))
        for minutes, (source, query) in enumerate(_BEFORE.items()):
            _write(engine, landing, source, _EARLY + timedelta(minutes=minutes), query)
        _write(engine, landing, "billings", _EXTRACT, _BILLED)
        return _write(engine, landing, "recognition_entries", _EXTRACT, _BOOKED)


def _write(engine: duckdb.DuckDBPyConnection, landing: Path, source: str, arrival: datetime, query: str) -> int:
    batch = landing / "bookings" / source / arrival.strftime("%Y%m%dT%H%M%SZ")
    batch.mkdir(parents=True)
    ((rows,),) = engine.execute(f"copy ({query}) to '{batch / f'{source}.csv'}' (format csv, header)").fetchall()
    return int(rows)


_MONEY = "({} // 100) || '.' || lpad(({} % 100)::varchar, 2, '0')"


def _money(cents: str) -> str:
    return _MONEY.format(cents, cents)


_ENTRY = """
    'subscription' as revenue_type, 'USD' as currency, 'recognition' as entry_type, 'asc606' as standard,
    format('OB-{:08d}', i) as obligation_id
"""

_BEFORE = {
    "customers": """
        select distinct format('CU-{:06d}', customer) as customer_id, format('Customer {}', customer) as customer_name,
            if(customer % 3 = 0, 'enterprise', 'mid-market') as segment, 'US' as country, 'active' as status
        from lines order by all
    """,
    "deal_lines": f"""
        select format('D-{{:07d}}', deal) as deal_id, line_no, 1 as version, format('CU-{{:06d}}', customer) as customer_id,
            'subscription' as revenue_type, {_money("amount")} as amount, start_date as booked_on, start_date,
            36 as duration_months, 'equal_months' as policy, 'active' as status, 'new' as change
        from lines order by i
    """,
    "recognition_entries": f"""
        select format('E-{{:08d}}-before', i) as entry_id, format('D-{{:07d}}', deal) as deal_id, line_no, '2025-02' as period,
            {_money("due_before")} as amount, '2025-03-03T09:00:00Z' as posted_at, {_ENTRY}
        from dues where due_before <> 0 order by i
    """,
    "billings": f"""
        select format('I-{{:08d}}-before', i) as document_id, 1 as document_line, 'invoice' as document_type,
            format('D-{{:07d}}', deal) as deal_id, line_no, {_money("due_before")} as amount, 'USD' as currency,
            date '2025-02-01' as invoice_date, '2025-02-01T09:00:00Z' as posted_at
        from dues where due_before <> 0 order by i
    """,
}

_BOOKED = f"""
    select entry_id, format('D-{{:07d}}', deal) as deal_id, line_no, '2025-03' as period, {_money("cents")} as amount,
        if(i % 97 = 0, '2025-04-20T09:00:00Z', '2025-04-02T09:00:00Z') as posted_at, {_ENTRY}
    from entries order by entry_id
"""

_BILLED = f"""
    select format('I-{{:08d}}', i) as document_id, 1 as document_line, 'invoice' as document_type,
        format('D-{{:07d}}', deal) as deal_id, line_no, {_money("due * 2")} as amount, 'USD' as currency,
        date '2025-03-01' as invoice_date, '2025-03-01T09:00:00Z' as posted_at
    from dues order by i
"""
