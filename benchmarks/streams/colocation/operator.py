"""One month of a large operator as landing batches: every contract with one meter and three invoice lines.

Belongs here: made-up files, the same bytes of data for the same arguments. Does not belong here: stories (the simulator has
them). Written by the engine, since 1.5 million readings in Python would take longer than what is measured. Readings are
complete and all actual, so that a naive program has nothing to estimate; the prices are those of the simulator.
"""

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import duckdb

from revenue_integrity import months

MONTH = date(2025, 3, 1)
"""The service month; it has 31 days, so 50,000 contracts have 1.55 M readings."""

CONTRACTS_PER_SITE = 2_500
"""Contracts of one site; beyond it there are more sites, as with a real operator."""

WRONG_SHARE = 0.05
"""Share of charges that are billed wrongly."""

_EARLY = datetime(2025, 2, 20, 6, tzinfo=UTC)
_ARRIVAL = "%Y%m%dT%H%M%SZ"


def write_month(landing: Path, contracts: int, readings_form: str) -> int:
    """Write one month into a landing zone and return the number of rows.

    Args:
        landing: root of the landing zone.
        contracts: number of contracts.
        readings_form: ``csv`` or ``parquet``, the form of the daily meter files.
    """
    days = months.days_in(MONTH)
    sites = max(1, contracts // CONTRACTS_PER_SITE)
    values = {"contracts": contracts, "sites": sites, "month": MONTH, "days": days, "wrong_share": WRONG_SHARE}
    with duckdb.connect() as engine:
        for name, value in values.items():
            engine.execute(f"set variable {name} = $value", {"value": value})
        engine.execute((resources.files("benchmarks.streams.colocation") / "sql" / "operator.sql").read_text(encoding="utf-8"))
        rows = 0
        for minutes, (source, query) in enumerate(_MASTER.items()):
            rows += _write(engine, landing, source, _EARLY + timedelta(minutes=minutes), query)
        for day in range(days):
            arrival = datetime(MONTH.year, MONTH.month, 1, 5, tzinfo=UTC) + timedelta(days=day + 1)
            query = f"{_READINGS} where reading_date = DATE '{MONTH + timedelta(days=day)}' order by i"
            rows += _write(engine, landing, "meter_readings", arrival, query, readings_form)
        for source, query, arrival in (
            ("power_bills", _BILLS, datetime(2025, 4, 3, 9, tzinfo=UTC)),
            ("erp_power_costs", _BOOKED, datetime(2025, 4, 8, 9, tzinfo=UTC)),
            # The first extract is that of the cutoff, the second brings what was posted after it.
            ("erp_invoices", f"{_LINES} where kind <> 'late' order by all", datetime(2025, 4, 8, 9, tzinfo=UTC)),
            ("erp_invoices", f"{_LINES} where kind = 'late' order by all", datetime(2025, 4, 20, 9, tzinfo=UTC)),
        ):
            rows += _write(engine, landing, source, arrival, query)
    return rows


def _write(
    engine: duckdb.DuckDBPyConnection, landing: Path, source: str, arrival: datetime, query: str, form: str = "csv"
) -> int:
    batch = landing / "colocation" / source / arrival.strftime(_ARRIVAL)
    batch.mkdir(parents=True)
    options = "format parquet" if form == "parquet" else "format csv, header"
    ((rows,),) = engine.execute(f"copy ({query}) to '{batch / f'{source}.{form}'}' ({options})").fetchall()
    return int(rows)


_MASTER = {
    "customers": """
        select distinct format('CU-{:06d}', customer) as customer_id, format('Customer {}', customer) as customer_name,
            'enterprise' as segment, 'US' as country, 'active' as status
        from contracts order by all
    """,
    "sites": """
        select site_id, 'Site ' || site_id as site_name, 'us-east' as region, 'America/New_York' as timezone,
            round(sum(reserved_kw) * 1.25) as capacity_kw
        from contracts group by site_id order by all
    """,
    "contract_versions": """
        select contract_id, 1 as version, format('CU-{:06d}', customer) as customer_id, site_id,
            DATE '2025-01-01' - (i % 300)::INTEGER as effective_from, null::DATE as effective_to, 'active' as status,
            if(metered, 'metered', 'all_in') as pricing_model, racks, reserved_kw, rack_price_cents * 0.01 as rack_price,
            kw_price_cents * 0.01 as kw_price, energy_rate, pue_uplift, 25 as overage_price, null as one_time_fee,
            'new' as amendment_type, DATE '2024-01-15' as signed_on
        from contracts
        union all
        select contract_id, 2, format('CU-{:06d}', customer), site_id, upsell_on, null, 'active',
            if(metered, 'metered', 'all_in'), racks + 1, reserved_kw, rack_price_cents * 0.01, kw_price_cents * 0.01,
            energy_rate, pue_uplift, 25, null, 'upsell', DATE '2025-02-10'
        from contracts where upsell_on is not null
        order by contract_id, version
    """,
    "rack_assignments": """
        select site_id, format('R-{:06d}-{}', i, rack) as rack_id, contract_id, DATE '2025-01-01' - (i % 300)::INTEGER as
            installed_on, null as removed_on, reserved_kw / racks as rated_kw
        from contracts cross join range(5) as racks_of(rack) where rack < racks order by all
    """,
    "erp_mapping": """
        select format('E-{:06d}', customer) as erp_customer_code, format('CU-{:06d}', customer) as customer_id,
            'REF-' || contract_id as erp_contract_ref, contract_id, DATE '2024-01-01' as valid_from, null as valid_to
        from contracts order by all
    """,
}

_READINGS = "select meter_id, contract_id, site_id, reading_date, kwh, peak_kw, 'actual' as read_type from readings"

_LINES = """
    select document_id, line_no, document_type, format('E-{:06d}', customer) as erp_customer_code,
        if(kind = 'unmapped', 'NOBODY', 'REF-' || contract_id) as erp_contract_ref, '2025-03' as service_month, charge_type,
        quantity, unit_price, (cents * 0.01)::DECIMAL(18, 2) as amount, 'USD' as currency, DATE '2025-04-01' as invoice_date,
        if(kind = 'late', '2025-04-15T10:00:00Z', '2025-04-02T10:00:00Z') as posted_at, corrects_document_id
    from lines join contracts using (i)
"""

_SITE_KWH = """
    select site_id, (sum(kwh) * 1.4)::DECIMAL(18, 3) as kwh, (sum(kwh) * 13)::BIGINT as energy_cents, (sum(kwh) * 3)::BIGINT
        as demand_cents, 250000::BIGINT as fixed_cents, sum(kwh)::BIGINT as tax_cents
    from readings group by site_id
"""

_BILLS = f"""
    select 'PB-' || site_id as bill_id, site_id, '2025-03' as service_month, 1 as bill_version, 'final' as status, kwh,
        (energy_cents * 0.01)::DECIMAL(18, 2) as energy_charge, (demand_cents * 0.01)::DECIMAL(18, 2) as demand_charge,
        (fixed_cents * 0.01)::DECIMAL(18, 2) as fixed_charge, (tax_cents * 0.01)::DECIMAL(18, 2) as tax,
        ((energy_cents + demand_cents + fixed_cents + tax_cents) * 0.01)::DECIMAL(18, 2) as total, 'USD' as currency,
        DATE '2025-04-02' as issued_on
    from ({_SITE_KWH}) order by site_id
"""

_BOOKED = f"""
    select 'PC-' || site_id as document_id, 1 as line_no, 'bill' as document_type, site_id, '2025-03' as service_month,
        ((energy_cents + demand_cents + fixed_cents + tax_cents) * 0.01)::DECIMAL(18, 2) as amount, 'USD' as currency,
        '2025-04-04T10:00:00Z' as posted_at
    from ({_SITE_KWH}) order by site_id
"""
