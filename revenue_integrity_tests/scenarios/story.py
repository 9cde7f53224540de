"""A small deployment whose months can all be signed, and what its people do to it: land, run, prepare, approve.

Belongs here: the landing zone of the stories and one-line deeds. Does not belong here: any expectation.
Two months (2025-01 and 2025-02), one site, two contracts. Contract A is all-in and owes 600.00 for racks and 1,500.00 for power
a month; contract B is metered and owes 400.00, 800.00 and 10.00 a day for energy (100 kWh at 0.10). Power costs 800.00 a month,
by a final bill that accounting has booked. Each month's documents arrive on the 10th of the next, after its cutoff.
"""

import csv
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from revenue_integrity import clock, months
from revenue_integrity.close import freeze
from revenue_integrity.close.ledger import Action, Entry, Ledger
from revenue_integrity.orchestration import runner
from revenue_integrity.orchestration.runner import RunSummary
from revenue_integrity.settings import BookSettings, Settings
from revenue_integrity.warehouse.catalog import read_catalog
from revenue_integrity_tests import deeds
from revenue_integrity_tests.support import home_of, home_settings

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)

NOW = datetime(2025, 3, 11, 9, tzinfo=UTC)
"""The present of the stories: after the cutoff of February (2025-03-07), before its close is due."""

PAT, ANA, ARI = "pat", "ana", "ari"
"""A preparer, an approver, and one who is both."""

EARLY = "20241220T000000Z"
_INVOICE = [
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
]


def story_settings(home: Path, **values: Any) -> Settings:
    """Return the settings of the stories: materiality is 100.00."""
    people = {"preparers": (PAT, ARI), "approvers": (ANA, ARI)}
    own = {"first_month": "2025-01", "last_month": "2025-02", "materiality_cents": 10_000, **people}
    return home_settings(home, **(own | values))


def put(settings: Settings, source: str, arrival: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Put rows into the landing zone as a batch and return its id."""
    listed = list(rows)
    target = settings.landing_path / "colocation" / source / arrival
    unfinished = target.parent / f".{arrival}"
    unfinished.mkdir(parents=True)
    with (unfinished / "data.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    unfinished.rename(target)
    return f"colocation/{source}/{arrival}"


def invoice(month: date, contract: str, charge: str, quantity: str, price: str, amount: str, **changes: str) -> dict[str, str]:
    """Return an ERP line of a month, posted on the second day of the next one, with some fields changed."""
    following = months.label(months.add(month, 1))
    row = {
        "document_id": f"D-{contract}-{charge}-{months.label(month)}",
        "line_no": "1",
        "document_type": "invoice",
        "erp_customer_code": f"E{contract}",
        "erp_contract_ref": f"R-{contract}",
        "service_month": months.label(month),
        "charge_type": charge,
        "quantity": quantity,
        "unit_price": price,
        "amount": amount,
        "currency": "USD",
        "invoice_date": f"{following}-01",
        "posted_at": f"{following}-02T10:00:00Z",
        "corrects_document_id": "",
    }
    assert list(row) == _INVOICE
    return row | changes


def invoices(month: date) -> list[dict[str, str]]:
    """Return what the ERP bills for a month: exactly what is due."""
    days = months.last_day(month).day
    return [
        invoice(month, "A", "rack", "2", "300", "600.00"),
        invoice(month, "A", "power", "10", "150", "1500.00"),
        invoice(month, "B", "rack", "1", "400", "400.00"),
        invoice(month, "B", "power", "5", "160", "800.00"),
        invoice(month, "B", "energy", str(100 * days), "0.10", f"{10 * days}.00"),
    ]


def readings(month: date, contract: str, kwh: str = "100") -> list[dict[str, str]]:
    """Return a reading for every day of a month."""
    return [
        {
            "meter_id": f"M-{contract}",
            "contract_id": contract,
            "site_id": "S-1",
            "reading_date": f"{months.label(month)}-{day:02d}",
            "kwh": kwh,
            "peak_kw": "5",
            "read_type": "actual",
        }
        for day in range(1, months.last_day(month).day + 1)
    ]


def power_cost(month: date, amount: str = "800.00") -> dict[str, str]:
    """Return what accounting books for the power of a month."""
    return {
        "document_id": f"P-{months.label(month)}",
        "line_no": "1",
        "document_type": "bill",
        "site_id": "S-1",
        "service_month": months.label(month),
        "amount": amount,
        "currency": "USD",
        "posted_at": f"{months.label(months.add(month, 1))}-03T10:00:00Z",
    }


def power_bill(month: date, **changes: str) -> dict[str, str]:
    """Return the final power bill of a month."""
    row = {
        "bill_id": f"PB-{months.label(month)}",
        "site_id": "S-1",
        "service_month": months.label(month),
        "bill_version": "1",
        "status": "final",
        "kwh": "7000",
        "energy_charge": "620.00",
        "demand_charge": "100.00",
        "fixed_charge": "50.00",
        "tax": "30.00",
        "total": "800.00",
        "currency": "USD",
        "issued_on": f"{months.label(months.add(month, 1))}-05",
    }
    return row | changes


def mapping() -> list[dict[str, str]]:
    """Return which contract the ERP means."""
    return [
        {
            "erp_customer_code": f"E{contract}",
            "customer_id": f"CU-{contract}",
            "erp_contract_ref": f"R-{contract}",
            "contract_id": contract,
            "valid_from": "2024-01-01",
            "valid_to": "",
        }
        for contract in "AB"
    ]


def arrival_after(month: date) -> str:
    """Return when the documents of a month arrive: on the 10th of the next."""
    return f"{months.add(month, 1):%Y%m}10T000000Z"


def _contract(contract: str, model: str, racks: str, reserved: str, rack_price: str, kw_price: str, rate: str) -> dict[str, str]:
    return {
        "contract_id": contract,
        "version": "1",
        "customer_id": f"CU-{contract}",
        "site_id": "S-1",
        "effective_from": "2024-01-01",
        "effective_to": "",
        "status": "active",
        "pricing_model": model,
        "racks": racks,
        "reserved_kw": reserved,
        "rack_price": rack_price,
        "kw_price": kw_price,
        "energy_rate": rate,
        "pue_uplift": "",
        "overage_price": "",
        "one_time_fee": "",
        "amendment_type": "new",
        "signed_on": "2023-12-01",
    }


def build(settings: Settings) -> None:
    """Write the landing zone of the stories."""
    customers = [
        {"customer_id": f"CU-{name}", "customer_name": name, "segment": "retail", "country": "US", "status": "active"}
        for name in "AB"
    ]
    put(settings, "customers", EARLY, customers)
    site = {"site_id": "S-1", "site_name": "One", "region": "r", "timezone": "UTC", "capacity_kw": "100"}
    put(settings, "sites", EARLY, [site])
    contracts = [
        _contract("A", "all_in", "2", "10", "300", "150", ""),
        _contract("B", "metered", "1", "5", "400", "160", "0.10"),
    ]
    put(settings, "contract_versions", EARLY, contracts)
    racks = [("A", "R1"), ("A", "R2"), ("B", "R3")]
    put(
        settings,
        "rack_assignments",
        EARLY,
        [
            {"site_id": "S-1", "rack_id": rack, "contract_id": contract, "installed_on": "2024-01-01", "removed_on": ""}
            | {"rated_kw": "5"}
            for contract, rack in racks
        ],
    )
    for month in settings.months:
        arrival = arrival_after(month)
        put(settings, "meter_readings", arrival, [*readings(month, "A"), *readings(month, "B")])
        put(settings, "power_bills", arrival, [power_bill(month)])
        put(settings, "erp_invoices", arrival, invoices(month))
        put(settings, "erp_mapping", arrival, mapping())
        put(settings, "erp_power_costs", arrival, [power_cost(month)])


def run(settings: Settings, *wanted: date, **more: Any) -> RunSummary:
    """Run months (all unless named), in the present of the stories."""
    with clock.held_at(NOW):
        return runner.run(home_of(settings), list(wanted) or settings.months, say=lambda _: None, **more)


def together(settings: Settings) -> Settings:
    """Return the settings of a home that signs colocation and cloud as one book, ``all``."""
    return settings.model_copy(update={"books": {"all": BookSettings(streams=("colocation", "cloud"))}})


def prepare(settings: Settings, month: date, actor: str = PAT) -> Entry:
    """Prepare a month, in the present of the stories."""
    with clock.held_at(NOW):
        return deeds.prepare(settings, month, actor)


def approve(settings: Settings, month: date, actor: str = ANA) -> Entry:
    """Approve a month, in the present of the stories."""
    with clock.held_at(NOW):
        return deeds.approve(settings, month, actor)


def sign(settings: Settings, *wanted: date) -> list[Entry]:
    """Prepare and approve months; return the approvals."""
    approvals = []
    for month in wanted:
        prepare(settings, month)
        approvals.append(approve(settings, month))
    return approvals


def statuses(settings: Settings, now: datetime = NOW) -> list[str]:
    """Return the status of each month in order."""
    with clock.held_at(now):
        return list(deeds.close_status(settings, settings.months)["status"])


def row_of(settings: Settings, month: date) -> dict[str, Any]:
    """Return a month's row of ``close_status``."""
    with clock.held_at(NOW):
        (row,) = deeds.close_status(settings, [month]).to_dict("records")
    return {str(name): value for name, value in row.items()}


def approvals(settings: Settings, month: date) -> list[Entry]:
    """Return the approvals of a month."""
    return [entry for entry in Ledger(settings).recorded(month) if entry.action == Action.APPROVE]


def frozen(settings: Settings, month: date) -> list[int]:
    """Return the versions of a month that stand frozen."""
    return [entry.version for entry in approvals(settings, month) if freeze.is_frozen(settings, entry)]


def restated(settings: Settings, month: date, first: int | None = None, last: int | None = None) -> pd.DataFrame:
    """Return what changed between two versions of a month."""
    with clock.held_at(NOW):
        return deeds.restatement(settings, month, first, last)


def hashes(settings: Settings) -> dict[str, str]:
    """Return the content hash of every partition."""
    return {name: record.content_hash for name, record in read_catalog(settings).partitions.items()}


def copy_home(home: Path, target: Path, **values: Any) -> Settings:
    """Copy a home, times included, so that no batch looks new; return the settings of the copy."""
    shutil.copytree(home, target, symlinks=True)
    return story_settings(target, **values)
