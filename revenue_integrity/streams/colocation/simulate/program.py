"""The run of a simulation: the world, its usage, its bills, the faults in them, and all of it as files.

Belongs here: what happens in which order, and the files of master data, power and the ERP. Does not belong here: how any
of it comes about.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from revenue_integrity import months as service_months
from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.streams.colocation.simulate.billing import Cutoff, Erp, Line, bill, charges_due, close_of
from revenue_integrity.streams.colocation.simulate.faults import (
    BAD_ROW_COLUMNS,
    EXTRACT_TRAVELS,
    FAULT_COLUMNS,
    LOOK_ALIKE_COLUMNS,
    Planter,
)
from revenue_integrity.streams.colocation.simulate.metering import Meters, read_meters, write_readings
from revenue_integrity.streams.colocation.simulate.plan import STREAM, read_plan
from revenue_integrity.streams.colocation.simulate.power import (
    Bill,
    Booking,
    book_power,
    estimate_arrival,
    final_arrival,
    kwh_text,
    power_bills,
)
from revenue_integrity.streams.colocation.simulate.world import Mapping, World, build_world
from revenue_integrity.streams.simulating import (
    CSV,
    GZIP,
    JSON,
    Zone,
    date_text,
    instant_text,
    micro_text,
    money_text,
    text_table,
    write_truth,
)

INVOICE_COLUMNS = (
    "document_id",
    "line_no",
    "document_type",
    "erp_customer_code",
    "erp_contract_ref",
    "service_month",
    "charge_type",
    "quantity",
    "unit_price",
    "amount",
    "currency",
    "invoice_date",
    "posted_at",
    "corrects_document_id",
)
CONTROL_TOTAL_COLUMNS = ("service_month", "extracted_at", "lines", "amount")
POWER_COST_COLUMNS = ("document_id", "line_no", "document_type", "site_id", "service_month", "amount", "currency", "posted_at")
MAPPING_COLUMNS = ("erp_customer_code", "customer_id", "erp_contract_ref", "contract_id", "valid_from", "valid_to")


def simulate(
    landing: Path,
    truth: Path,
    *,
    months: Sequence[date],
    contracts: int,
    sites: int,
    seed: int,
    faults: str,
    cutoff: Cutoff,
    currency: str = "USD",
    others: Collection[str] = (),
) -> Simulated:
    """Write what the source systems would have sent for some months, and to ``truth`` what is wrong with it.

    Args:
        landing: root of the landing zone.
        truth: directory of ``faults.csv``, ``look_alikes.csv`` and ``bad_rows.csv``.
        months: service months, consecutive.
        contracts: number of contracts.
        sites: number of data centres.
        seed: the same arguments and seed give the same bytes.
        faults: ``default``, ``none``, or a TOML file of counts per kind (``plan``).
        cutoff: the close calendar: the last instant at which a posting of a service month is in time.
        currency: currency of all amounts.
        others: tables of the TOML file that are for other streams.

    Raises:
        UsageError: the arguments or the TOML file cannot be understood.
    """
    if contracts < 1 or sites < 1 or seed < 0:
        raise UsageError(
            f"cannot simulate {contracts} contracts at {sites} sites with seed {seed}",
            "Use at least one contract and one site, and a seed that is not negative",
        )
    plan = read_plan(faults, contracts, others)
    world = build_world(months, contracts, sites, seed)
    meters = read_meters(world, seed)
    due = charges_due(world, meters)
    erp = Erp(world, {month: close_of(month, cutoff) for month in world.months})
    bills = power_bills(world, meters, seed)
    planter = Planter(world, meters, due, erp, bills, plan, seed)
    planter.plan_all()
    bill(erp, due, planter.held, seed)
    planter.post_after_billing()
    planter.bookings = book_power(bills, erp.closes, planter.power_faults)

    zone = Zone(landing, STREAM)
    _write_master_data(world, zone)
    bad = write_readings(world, meters, planter.overrides, planter.bad_readings, plan.repeated_readings, zone, seed)
    for batch, file, row, reading in bad:
        planter.note_bad_row(batch, file, row, reading.fault)
    if plan.rejected_batch:
        _write_rejected(world, meters, planter, zone)
    _write_bills(world, bills, currency, zone)
    _write_bookings(world, erp, planter.bookings, currency, zone)
    _write_invoices(erp, planter, plan.bad_lines, currency, zone, seed)
    _write_mappings(world, erp, planter.mappings, zone)

    write_truth(truth / "faults.csv", FAULT_COLUMNS, planter.truth())
    write_truth(truth / "look_alikes.csv", LOOK_ALIKE_COLUMNS, planter.look_alikes)
    write_truth(truth / "bad_rows.csv", BAD_ROW_COLUMNS, planter.bad_rows)
    return Simulated(zone.batches, zone.rows, planter.planted)


Row = dict[str, str | None]
Known = tuple[date, Row]


def _before(world: World) -> datetime:
    """Return when the history before the first month arrives."""
    return datetime.combine(world.first - timedelta(days=7), time(6, 0), UTC)


def _write_as_known(
    world: World, zone: Zone, source: str, minutes: int, form: str, known: Iterable[Known], key: tuple[str, ...]
) -> None:
    """Write master data twice a month, each row with the first delivery after it became known.

    What is known of one thing several times by then is sent as it was known last: an extract holds no history.
    """
    deliveries = [_before(world)]
    for month in world.months:
        deliveries += [datetime.combine(month.replace(day=day), time(6, 0), UTC) for day in (10, 24)]
    rows = sorted(known, key=lambda each: each[0])
    position = 0
    for arrival in deliveries:
        part: dict[tuple[str | None, ...], Row] = {}
        while position < len(rows) and rows[position][0] <= arrival.date():
            row = rows[position][1]
            part[tuple(row[column] for column in key)] = row
            position += 1
        if part:
            sent = list(part.values())
            zone.write(source, arrival + timedelta(minutes=minutes), source, text_table(tuple(sent[0]), sent), form)


def _write_master_data(world: World, zone: Zone) -> None:
    early = _before(world).date()
    sites: list[Row] = [
        {
            "site_id": site.site_id,
            "site_name": site.name,
            "region": site.region,
            "timezone": site.timezone,
            "capacity_kw": micro_text(site.capacity_kw),
        }
        for site in world.sites
    ]
    _write_as_known(world, zone, "sites", 0, CSV, [(early, row) for row in sites], ("site_id",))
    customers: list[Known] = [
        (
            each.known_on,
            {
                "customer_id": each.customer_id,
                "customer_name": each.name,
                "segment": each.segment,
                "country": each.country,
                "status": "active",
            },
        )
        for each in world.customers
    ]
    _write_as_known(world, zone, "customers", 5, CSV, customers, ("customer_id",))
    _write_as_known(world, zone, "contract_versions", 10, JSON, _contract_rows(world), ("contract_id", "version"))
    of_rack = ("site_id", "rack_id", "contract_id", "installed_on")
    _write_as_known(world, zone, "rack_assignments", 15, GZIP, _rack_rows(world), of_rack)


def _contract_rows(world: World) -> Iterable[Known]:
    for contract in world.contracts:
        for version in contract.versions:
            yield (
                version.signed_on,
                {
                    "contract_id": contract.contract_id,
                    "version": str(version.version),
                    "customer_id": world.customers[contract.customer].customer_id,
                    "site_id": world.sites[contract.site].site_id,
                    "effective_from": date_text(version.effective_from),
                    "effective_to": date_text(version.effective_to),
                    "status": version.status,
                    "pricing_model": "metered" if contract.metered else "all_in",
                    "racks": str(version.racks),
                    "reserved_kw": micro_text(version.kw),
                    "rack_price": micro_text(version.rack_price),
                    "kw_price": micro_text(version.kw_price),
                    "energy_rate": micro_text(version.energy_rate),
                    "pue_uplift": micro_text(version.uplift),
                    "overage_price": micro_text(version.overage_price),
                    "one_time_fee": money_text(version.fee),
                    "amendment_type": version.amendment,
                    "signed_on": date_text(version.signed_on),
                },
            )


def _rack_rows(world: World) -> Iterable[Known]:
    for contract in world.contracts:
        for rack in contract.racks:
            row: Row = {
                "site_id": world.sites[contract.site].site_id,
                "rack_id": rack.rack_id,
                "contract_id": contract.contract_id,
                "installed_on": date_text(rack.installed_on),
                "removed_on": None,
                "rated_kw": micro_text(rack.rated_kw),
            }
            # Known with the order, which is known with the version that asks for it.
            installed = max(rack.installed_on - timedelta(days=20), contract.versions[0].signed_on)
            yield installed, row
            if rack.removed_on:
                yield max(rack.removed_on - timedelta(days=5), installed), {**row, "removed_on": date_text(rack.removed_on)}


def _write_rejected(world: World, meters: Meters, planter: Planter, zone: Zone) -> None:
    """Send one meter file of the last month without a column; the good one follows an hour later."""
    day = (world.months[-1] - world.first).days + 10
    arrival = meters.arrivals[int(meters.day_file[day])] - timedelta(hours=1)
    rows: list[Row] = [
        {
            "meter_id": f"M-{int(contract) + 1:05d}-{int(slot)}",
            "contract_id": world.contracts[int(contract)].contract_id,
            "site_id": world.sites[world.contracts[int(contract)].site].site_id,
            "reading_date": (world.first + timedelta(days=day)).isoformat(),
            "kwh": kwh_text(int(kwh)),
            "read_type": "actual",
        }
        for contract, slot, kwh in zip(meters.contract[:100], meters.slot[:100], meters.kwh[:100, day], strict=True)
    ]
    batch = zone.write("meter_readings", arrival, "readings", text_table(tuple(rows[0]), rows))
    planter.note_bad_row(batch, None, None, "peak_kw is missing")


def _write_bills(world: World, bills: Sequence[tuple[Bill, Bill]], currency: str, zone: Zone) -> None:
    for month in world.months:
        of_month = [each for each in bills if each[0].month == month]
        for version, arrival in ((0, estimate_arrival(month)), (1, final_arrival(month))):
            rows = [_bill_row(world, pair[version], currency) for pair in of_month]
            zone.write("power_bills", arrival, "bills", text_table(tuple(rows[0]), rows), JSON)


def _bill_row(world: World, power_bill: Bill, currency: str) -> Row:
    energy, demand, fixed, tax = power_bill.charges
    return {
        "bill_id": f"{power_bill.bill_id}-V{power_bill.version}",
        "site_id": world.sites[power_bill.site].site_id,
        "service_month": service_months.label(power_bill.month),
        "bill_version": str(power_bill.version),
        "status": power_bill.status,
        "kwh": kwh_text(power_bill.kwh),
        "energy_charge": money_text(energy),
        "demand_charge": money_text(demand),
        "fixed_charge": money_text(fixed),
        "tax": money_text(tax),
        "total": money_text(power_bill.total),
        "currency": currency,
        "issued_on": date_text(power_bill.issued_on),
    }


def _by_extract(extracts: Sequence[datetime], rows: Iterable[tuple[datetime, Row]]) -> Iterable[tuple[datetime, list[Row]]]:
    """Yield each extract with the rows entered since the one before it."""
    waiting = sorted(rows, key=lambda each: each[0])
    position = 0
    for extract in extracts:
        part: list[Row] = []
        while position < len(waiting) and waiting[position][0] <= extract:
            part.append(waiting[position][1])
            position += 1
        yield extract, part


def _write_bookings(world: World, erp: Erp, bookings: Sequence[Booking], currency: str, zone: Zone) -> None:
    rows = [
        (
            booking.posted_at,
            {
                "document_id": booking.document_id,
                "line_no": "1",
                "document_type": booking.document_type,
                "site_id": world.sites[booking.site].site_id,
                "service_month": service_months.label(booking.month),
                "amount": money_text(booking.amount),
                "currency": currency,
                "posted_at": instant_text(booking.posted_at),
            },
        )
        for booking in bookings
    ]
    closing = {close.extracts[1] for close in erp.closes.values()}
    for extract, part in _by_extract(erp.extracts(), rows):
        # The extract after the cutoff comes even if nothing is new: that it came is what says so.
        if part or extract in closing:
            zone.write("erp_power_costs", extract + EXTRACT_TRAVELS, "power_costs", text_table(POWER_COST_COLUMNS, part))


def _write_mappings(world: World, erp: Erp, cures: Sequence[tuple[datetime, Mapping]], zone: Zone) -> None:
    noon = time(12, 0)
    rows = [(at, _mapping_row(world, each)) for at, each in cures]
    for each in world.mappings:
        entered = datetime.combine(each.known_on, noon, UTC)
        # A reference is open until it is renamed; then its row is sent again with its end.
        rows.append((entered, _mapping_row(world, replace(each, valid_to=None))))
        if each.valid_to:
            ended = datetime.combine(each.valid_to, noon, UTC) - timedelta(days=9)
            rows.append((max(ended, entered), _mapping_row(world, each)))
    closing = [_before(world) + timedelta(hours=1), *(close.extracts[1] for close in erp.closes.values())]
    for extract, part in _by_extract(closing, rows):
        zone.write("erp_mapping", extract + EXTRACT_TRAVELS, "mapping", text_table(MAPPING_COLUMNS, part))


def _mapping_row(world: World, mapping: Mapping) -> Row:
    return {
        "erp_customer_code": mapping.code,
        "customer_id": world.customers[mapping.customer].customer_id,
        "erp_contract_ref": mapping.ref,
        "contract_id": world.contracts[mapping.contract].contract_id,
        "valid_from": date_text(mapping.valid_from),
        "valid_to": date_text(mapping.valid_to),
    }


def _invoice_row(line: Line, currency: str) -> Row:
    return {
        "document_id": line.document_id,
        "line_no": str(line.line_no),
        "document_type": line.document_type,
        "erp_customer_code": line.code,
        "erp_contract_ref": line.ref,
        "service_month": service_months.label(line.service_month),
        "charge_type": line.charge_type,
        "quantity": micro_text(line.quantity),
        "unit_price": micro_text(line.unit_price),
        "amount": money_text(line.amount),
        "currency": currency,
        "invoice_date": date_text(line.invoice_date),
        "posted_at": instant_text(line.posted_at),
        "corrects_document_id": line.corrects,
    }


def _write_invoices(erp: Erp, planter: Planter, bad_lines: float, currency: str, zone: Zone, seed: int) -> None:
    """Write the extracts of invoice lines, and what the ERP counts of each month that an extract changes."""
    rng = np.random.default_rng([seed, 7])
    standing: dict[tuple[str, int], Line] = {}
    counted: dict[date, list[int]] = {}
    closing = {close.extracts[1] for close in erp.closes.values()}
    billing = {close.extracts[0] for close in erp.closes.values()}
    again: list[Line] = []
    for extract, lines in erp.by_extract():
        touched: set[date] = set()
        for line in lines:
            key = (line.document_id, line.line_no)
            for sign, each in ((-1, standing.get(key)), (1, line)):
                if each:
                    total = counted.setdefault(each.service_month, [0, 0])
                    total[0] += sign
                    total[1] += sign * each.amount
                    touched.add(each.service_month)
            standing[key] = line
        rows = [_invoice_row(line, currency) for line in [*lines, *again]]
        arrival = extract + EXTRACT_TRAVELS
        broken: list[int] = []
        if extract in billing and lines:
            wanted = int(bad_lines) + int(rng.random() < bad_lines - int(bad_lines))
            broken = sorted({int(number) for number in rng.integers(len(lines), size=wanted)})
        # A line with more places than a quantity has; it comes again, repaired, with the next extract.
        again = [lines[number] for number in broken]
        for number in broken:
            rows[number]["quantity"] = f"{rows[number]['quantity']}{'' if '.' in str(rows[number]['quantity']) else '.'}0000001"
        if rows or extract in closing:
            batch = zone.write("erp_invoices", arrival, "invoices", text_table(INVOICE_COLUMNS, rows))
            for number in broken:
                planter.note_bad_row(batch, "invoices.csv", number + 1, "too many places")
        if touched or extract in closing:
            totals: list[Row] = [
                {
                    "service_month": service_months.label(month),
                    "extracted_at": instant_text(extract),
                    "lines": str(counted[month][0]),
                    "amount": money_text(counted[month][1]),
                }
                for month in sorted(touched)
            ]
            zone.write("erp_control_totals", arrival, "control_totals", text_table(CONTROL_TOTAL_COLUMNS, totals))
