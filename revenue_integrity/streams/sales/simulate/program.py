"""The run of a simulation: what is sold, booked and paid, the faults in it, and all of it as files.

Belongs here: what happens in which order, and the truth of what was planted. Does not belong here: how any of it comes about.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from revenue_integrity import months as service_months
from revenue_integrity.errors import UsageError
from revenue_integrity.model.simulator import Simulated
from revenue_integrity.streams.sales.simulate.books import Cutoff, book
from revenue_integrity.streams.sales.simulate.faults import LookAlike, Planter, Told
from revenue_integrity.streams.sales.simulate.files import Files
from revenue_integrity.streams.sales.simulate.plan import STREAM, read_plan
from revenue_integrity.streams.sales.simulate.shop import Cell, build_shop, month_of
from revenue_integrity.streams.simulating import Zone, batch_id, instant_text, write_truth

FAULT_COLUMNS = (
    "kind",
    "recon",
    "view",
    "month",
    "region",
    "category",
    "transaction_id",
    "cause",
    "cents",
    "planted_in_batch",
    "cured_at",
)
LOOK_ALIKE_COLUMNS = ("kind", "month", "region", "category", "transaction_id")
BAD_ROW_COLUMNS = ("batch_id", "file_name", "row_number", "fault")

Row = dict[str, str | None]


def simulate(
    landing: Path,
    truth: Path,
    *,
    months: Sequence[date],
    transactions: int,
    seed: int,
    faults: str,
    cutoff: Cutoff,
    currency: str = "USD",
) -> Simulated:
    """Write what the systems of a shop would have sent for some months, and to ``truth`` what is wrong with it.

    Args:
        landing: root of the landing zone.
        truth: directory of ``sales_faults.csv``, ``sales_look_alikes.csv`` and ``sales_bad_rows.csv``.
        months: service months, consecutive.
        transactions: sales a month.
        seed: the same arguments and seed give the same bytes.
        faults: ``default``, ``none``, or a TOML file of counts per kind (``plan``).
        cutoff: the close calendar: the last instant at which a posting of a service month is in time.
        currency: currency of all amounts.

    Raises:
        UsageError: the arguments or the TOML file cannot be understood.
    """
    if transactions < 1 or seed < 0:
        raise UsageError(
            f"cannot simulate {transactions} transactions a month with seed {seed}",
            "Use at least one transaction, and a seed that is not negative",
        )
    plan = read_plan(faults, transactions)
    shop = build_shop(months, transactions, seed)
    books = book(shop, cutoff)
    planter = Planter(shop, books, plan, seed)
    planter.plan_all()

    zone = Zone(landing, STREAM)
    files = Files(shop, books, planter, zone, currency, seed)
    files.write(shop.months[-plan.recent_months :] if plan.bad_rows and plan.recent_months else ())

    write_truth(truth / f"{STREAM}_faults.csv", FAULT_COLUMNS, [_told_row(each) for each in planter.told])
    write_truth(truth / f"{STREAM}_look_alikes.csv", LOOK_ALIKE_COLUMNS, [_look_alike_row(each) for each in planter.look_alikes])
    write_truth(truth / f"{STREAM}_bad_rows.csv", BAD_ROW_COLUMNS, files.bad_rows)
    return Simulated(zone.batches, zone.rows, planter.planted)


def _place(month: int, cell: Cell | None, transaction_id: str) -> Row:
    return {
        "month": service_months.label(month_of(month)),
        "region": None if cell is None else cell[1] or "UNKNOWN",
        "category": None if cell is None else cell[2] or "UNKNOWN",
        "transaction_id": transaction_id or None,
    }


def _told_row(told: Told) -> Row:
    return {
        "kind": told.kind,
        "recon": told.recon,
        "view": told.view,
        **_place(told.month, told.cell, told.transaction_id),
        "cause": told.cause,
        "cents": str(told.cents),
        "planted_in_batch": batch_id(STREAM, told.source, told.sent_at),
        "cured_at": instant_text(told.cured_at) if told.cured_at else None,
    }


def _look_alike_row(each: LookAlike) -> Row:
    return {"kind": each.kind, **_place(each.month, each.cell, each.transaction_id)}
