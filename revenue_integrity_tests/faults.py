"""Small inputs that went wrong once, after public reports of other programs: landing the folders of `fixtures/faults`.

Belongs here: which file arrives when. Does not belong here: any expectation.
`base` holds two contracts at one site over January to March 2025, of which everything ties; the other cases come on top of it,
those of the cloud stand alone.
"""

import shutil
from pathlib import Path

from revenue_integrity.settings import Settings

FAULTS = Path(__file__).resolve().parent / "fixtures" / "faults"

MONTHS = {"first_month": "2025-01", "last_month": "2025-03"}
"""The deployment of the base, as settings."""

_EARLY = ("sites", "customers", "contract_versions", "rack_assignments", "erp_mapping")
_LATER = ("meter_readings", "erp_invoices", "power_bills", "erp_power_costs")


def land(settings: Settings, stream: str, source: str, arrival: str, *names: str) -> str:
    """Land files of the cases as one batch; return its id."""
    batch = settings.landing_path / stream / source / arrival
    batch.mkdir(parents=True)
    for name in names:
        shutil.copy(FAULTS / name, batch / Path(name).name)
    return f"{stream}/{source}/{arrival}"


def land_base(settings: Settings) -> None:
    """Land what the cases of colocation come on top of."""
    for sources, arrival in ((_EARLY, "20241231T000000Z"), (_LATER, "20250410T000000Z")):
        for source in sources:
            land(settings, "colocation", source, arrival, f"base/{source}.csv")
