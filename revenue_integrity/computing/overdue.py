"""Which sources of a home are overdue now, from the manifests beside the warehouse.

Belongs here: reading the manifests. Does not belong here: what overdue means (``landing.due``), telling it (``desk.alerts``,
``operating.doctor``, ``status``).
"""

from collections import defaultdict
from datetime import datetime

from revenue_integrity.computing.ingestion import read_manifest_of
from revenue_integrity.landing.due import Deadline, overdue
from revenue_integrity.landing.zone import parse_arrival
from revenue_integrity.settings import Settings


def overdue_deliveries(settings: Settings, now: datetime) -> list[Deadline]:
    """Return what is overdue of all sources for which the settings say how often they are to deliver, by stream and source."""
    found = []
    for stream in sorted({name.split(".")[0] for name in settings.expected_every}):
        manifest = read_manifest_of(settings, stream)
        arrivals: dict[str, list[datetime]] = defaultdict(list)
        for batch_id in manifest.seen:
            if batch_id not in manifest.rejected and batch_id not in manifest.withdrawn:
                _, source, arrival = batch_id.split("/")
                arrivals[source].append(parse_arrival(arrival))
        found += overdue(stream, arrivals, settings, now)
    return found
