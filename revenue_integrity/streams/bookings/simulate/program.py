"""The run of a simulation: deals, what is booked and billed of them, the faults in it, and all of it as files.

Belongs here: what happens in which order, and the truth of what was planted. Does not belong here: how any of it comes about.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

from revenue_integrity import months as service_months
from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.streams.bookings.simulate.booking import Cutoff, book
from revenue_integrity.streams.bookings.simulate.deals import build_world
from revenue_integrity.streams.bookings.simulate.due import month_of
from revenue_integrity.streams.bookings.simulate.faults import (
    FAULT_COLUMNS,
    LOOK_ALIKE_COLUMNS,
    RECON,
    LookAlike,
    Planter,
    Told,
)
from revenue_integrity.streams.bookings.simulate.files import EXTRACT_TRAVELS, Files
from revenue_integrity.streams.bookings.simulate.plan import STREAM, read_plan
from revenue_integrity.streams.simulating import Zone, batch_id, instant_text, write_truth

BAD_ROW_COLUMNS = ("batch_id", "file_name", "row_number", "fault")

Row = dict[str, str | None]


def simulate(
    landing: Path,
    truth: Path,
    *,
    months: Sequence[date],
    deals: int,
    seed: int,
    faults: str,
    cutoff: Cutoff,
    currency: str = "USD",
) -> Simulated:
    """Write what the source systems would have sent for some months, and to ``truth`` what is wrong with it.

    Args:
        landing: root of the landing zone.
        truth: directory of ``bookings_faults.csv``, ``bookings_look_alikes.csv`` and ``bookings_bad_rows.csv``.
        months: service months, consecutive.
        deals: number of deals in force at a time.
        seed: the same arguments and seed give the same bytes.
        faults: ``default``, ``none``, or a TOML file of counts per kind (``plan``).
        cutoff: the close calendar: the last instant at which a posting of a service month is in time.
        currency: currency of all amounts.

    Raises:
        UsageError: the arguments or the TOML file cannot be understood.
    """
    if deals < 1 or seed < 0:
        raise UsageError(
            f"cannot simulate {deals} deals with seed {seed}", "Use at least one deal, and a seed that is not negative"
        )
    plan = read_plan(faults, deals)
    world = build_world(months, deals, seed)
    books = book(world, months, cutoff, seed)
    planter = Planter(world, books, plan, seed)
    planter.plan_all()
    bad = planter.bad_rows_by_month()

    zone = Zone(landing, STREAM)
    files = Files(world, books, zone, currency, seed)
    files.write_deals({month: (count + 1) // 2 for month, count in bad.items()})
    files.write_entries({month: count // 2 for month, count in bad.items()})
    files.write_mappings(planter.mappings)
    files.write_billings()
    files.write_control_totals()
    files.write_balances()

    write_truth(truth / f"{STREAM}_faults.csv", FAULT_COLUMNS, [_told_row(each) for each in planter.told])
    write_truth(truth / f"{STREAM}_look_alikes.csv", LOOK_ALIKE_COLUMNS, _look_alike_rows(planter.look_alikes))
    write_truth(truth / f"{STREAM}_bad_rows.csv", BAD_ROW_COLUMNS, files.bad_rows)
    return Simulated(zone.batches, zone.rows, planter.planted)


def _batch(extract: datetime, source: str) -> str:
    travels = EXTRACT_TRAVELS if source == "recognition_entries" else EXTRACT_TRAVELS * 0
    return batch_id(STREAM, source, extract + travels)


def _told_row(told: Told) -> Row:
    line = told.line
    cured_by = "recognition_mapping" if told.by_mapping else "recognition_entries"
    return {
        "kind": told.kind,
        "recon": RECON,
        "view": told.view,
        "month": service_months.label(month_of(told.month)),
        "customer_id": line.deal.customer.customer_id,
        "deal_id": line.deal.deal_id if told.has_line else None,
        "line_no": str(line.line_no) if told.has_line else None,
        "revenue_type": told.revenue_type,
        "cause": told.cause,
        "cents": str(told.cents),
        "planted_in_batch": _batch(told.sent_at, "recognition_entries"),
        "cured_at": instant_text(told.cured_at) if told.cured_at else None,
        "cured_by_batch": _batch(told.cured_at, cured_by) if told.cured_at else None,
    }


def _look_alike_rows(found: Iterable[LookAlike]) -> list[Row]:
    return [
        {
            "kind": each.kind,
            "month": service_months.label(month_of(each.month)),
            "customer_id": each.line.deal.customer.customer_id,
            "deal_id": each.line.deal.deal_id,
            "line_no": str(each.line.line_no),
            "revenue_type": each.line.revenue_type,
        }
        for each in found
    ]
